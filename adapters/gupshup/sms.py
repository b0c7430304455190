"""Reads Gupshup's delivery reports of enterprise SMS: one in the query of a GET, or a list of up to 20 in a POST.

https://docs.gupshup.io/docs/real-time-delivery-reports
"""

from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import handle, written
from adapters.reading.bodies import form_of, is_form, json_of, parse_json, query_of
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.times import from_unix_or_millis
from schemas.events import Error, Event

#: `status` of a GET, `eventType` of a POST. UNKNOWN: it may have been delivered.
REPORTS: dict[str, str] = {
    "SUCCESS": "MessageDelivered",
    "DELIVERED": "MessageDelivered",
    "SENT": "UserMessageSent",
    "READ": "MessageRead",
    "FAILURE": "MessageFailed",
    "FAILED": "MessageFailed",
    "UNKNOWN": "ProviderEventReceived",
}
#: `cause` of a failed message.
CAUSES: dict[str, str] = {
    "ABSENT_SUBSCRIBER": "unreachable",
    "CALL_BARRED": "blocked",
    "UNKNOWN_SUBSCRIBER": "invalid_address",
    "SERVICE_DOWN": "unreachable",
    "SYSTEM_FAILURE": "unreachable",
    "DND_FAIL": "opted_out",
    "BLOCKED": "blocked",
    "DND_TIMEOUT": "unknown",
    "OUTSIDE_WORKING_HOURS": "blocked",
}
_CHANNELS = frozenset({"sms", "whatsapp", "voice"})


def is_report(request: Request) -> bool:
    """Return whether the request is a delivery report, by the names of its fields."""
    if request.method == "GET":
        return "externalId=" in request.url and "deliveredTS=" in request.url and "phoneNo=" in request.url
    head = request.body[:1024].replace(b"%22", b'"')
    return b'"externalId"' in head and b'"eventType"' in head and b'"destAddr"' in head


def normalize(request: Request) -> Normalized:
    """Return one event per report. Raises Unprocessable if there is no list of them."""
    result = Normalized()
    for item in _items(request):
        try:
            if not isinstance(item, dict):
                raise Unprocessable("a report is not an object")
            result.events.append(_event(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _items(request: Request) -> list[Any]:
    if request.method == "GET":
        return [dict(query_of(request))]
    if is_form(request):
        reports = dict(form_of(request)).get("response")
        if reports is None:
            raise Unprocessable("a form without response")
        body = parse_json(reports.encode("utf-8", "surrogatepass"))
    else:
        body = json_of(request)
    return body if isinstance(body, list) else [body]


def _event(item: dict[str, Any], request: Request) -> Event:
    get = item.get
    message_id = identifier(get("externalId"))
    if message_id is None:
        raise Unprocessable("a report has no message id")
    status = (text(get("status")) or text(get("eventType")) or "").upper()
    type_ = REPORTS.get(status, "ProviderEventReceived")
    word = (text(get("channel")) or "sms").lower()
    channel = word if word in _CHANNELS else None
    number, stamp = text(get("phoneNo")) or text(get("destAddr")), get("deliveredTS") or get("eventTs")
    customer = handle(number, channel)
    payload: dict[str, Any] = {"providerStatus": status[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if sender := written(text(get("srcAddr")) or text(get("mask")), channel):
        payload["from"] = sender
    if (segments := count(get("noOfFrags"))) is not None:
        payload["segments"] = segments
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    cause, code = text(get("cause")), text(get("errCode")) or text(get("errorCode"))
    reason = CAUSES.get((cause or "").strip().upper(), "unknown")
    error = Error(code[:255] if code else None, cause[:8192] if cause else None, reason)
    return Event(
        type_,
        request.source,
        fact_id("report", message_id, status, number, text(stamp)),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix_or_millis(stamp),
        error=error if type_ == "MessageFailed" else None,
        payload=payload,
    )
