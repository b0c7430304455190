"""Reads the SMS API's callbacks: reports of a recipient or a batch, and inbound messages.

https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/, the fields as in Sinch's own library,
https://github.com/sinch/sinch-sdk-node/tree/main/packages/sms. The batch's id is the one that the send's response
had.
"""

from datetime import datetime
from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.sinch.errors import sms_error
from schemas.events import Event

Item = dict[str, Any]

#: …/tag/Delivery-reports/#section/Delivery-report-statuses. `Aborted`: it did not reach the operator.
STATUSES: dict[str, str] = {
    "Queued": "MessageQueued",
    "Dispatched": "UserMessageSent",
    "Delivered": "MessageDelivered",
    "Aborted": "MessageRejected",
    "Cancelled": "MessageCancelled",
    "Rejected": "MessageFailed",
    "Deleted": "MessageFailed",
    "Failed": "MessageFailed",
    "Expired": "MessageFailed",
    "Unknown": "ProviderEventReceived",
}
#: …/tag/Webhooks/: the values of `type`, and how those of messages that came in (mobile originated) begin.
_INBOUND = "mo_"
_RECIPIENT = frozenset({"recipient_delivery_report_sms", "recipient_delivery_report_mms"})
_BATCH = frozenset({"delivery_report_sms", "delivery_report_mms"})
#: Keys whose value the event has in another form.
_READ = frozenset({"type"})
_FAILED = frozenset({"MessageFailed", "MessageRejected"})


def is_sms(body: Item) -> bool:
    """Return whether the object is a report, or an inbound message: all of them have a `type`."""
    return isinstance(body.get("type"), str) and ("batch_id" in body or "received_at" in body)


def events(body: Item, request: Request) -> Normalized:
    """Return the events. Raises Unprocessable if there is no id."""
    kind = str(body["type"])
    if kind.startswith(_INBOUND):
        return Normalized([keep_rest(_message(body, kind, request), body)])
    batch = identifier(body.get("batch_id"))
    if kind not in _RECIPIENT and kind not in _BATCH:
        event = unknown(request, body, status=kind)
        event.channel, event.provider_message_id = "sms", batch or identifier(body.get("id"))
        return Normalized([event])
    if batch is None:
        raise Unprocessable("a report has no batch id")
    if kind in _RECIPIENT:
        report = (text(body.get("status")) or "", body.get("code"), body.get("at"))
        event = _report(body, batch, body.get("recipient"), *report, request, body)
        return Normalized([keep_rest(event, body, read=_READ)])
    return _batch(body, batch, request)


def _batch(body: Item, batch: str, request: Request) -> Normalized:
    """Return one event per recipient of a full report; a summary only counts recipients, and becomes an unknown
    event."""
    found = Normalized()
    statuses = body.get("statuses")
    for part in statuses if isinstance(statuses, list) else []:
        recipients = part.get("recipients") if isinstance(part, dict) else None
        if not isinstance(recipients, list):
            continue
        status, code = (text(part.get("status")) or "")[:255], (text(part.get("code")) or "")[:255] or None
        for recipient in recipients:
            if text(recipient) is None:
                found.unprocessable.append((recipient, "a recipient that is not text"))
                continue
            # Keep this recipient's part only: the whole report once per recipient could be a thousand times the
            # webhook.
            item = {"batch_id": batch, "recipient": recipient, "status": status, "code": code}
            event = _report(body, batch, recipient, status, code, None, request, item)
            found.events.append(keep_rest(event, {"code": code}))
    if found.events:  # what concerns the batch is kept once
        rest = {key: value for key, value in body.items() if key != "statuses"}
        own = found.events[0].payload.pop("native", None) if found.events[0].type != "ProviderEventReceived" else None
        keep_rest(found.events[0], {**rest, **(own or {})}, read=_READ)
    if not found.events and not found.unprocessable:
        event = unknown(request, body, status=text(body.get("type")))
        event.channel, event.direction, event.provider_message_id = "sms", "outbound", batch
        found.events.append(event)
    return found


def _report(
    body: Item, batch: str, recipient: Any, status: str, code: Any, at: Any, request: Request, item: Item
) -> Event:
    """Return the event of one recipient's message; an unknown status keeps `item` as `native`."""
    given, status = status, spelled(status, STATUSES)
    type_ = STATUSES.get(status, "ProviderEventReceived")
    customer = dialled(recipient, "sms")
    payload: Item = {"providerStatus": given[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if (ours := dialled(body.get("applied_originator"), "sms")) is not None:
        payload["from"] = ours.value
    for key, name, most in (("reference", "client_reference", 1024), ("carrier", "operator", 255)):
        if value := text(body.get(name)):
            payload[key] = value[:most]
    if (segments := count(body.get("number_of_message_parts"))) is not None:
        payload["segments"] = segments
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    return Event(
        type_,
        request.source,
        fact_id("report", batch, text(recipient), status, text(code), text(at)),
        channel="sms",
        direction="outbound",
        provider_message_id=batch,
        handle=customer,
        occurred_at=from_text(at),
        error=sms_error(code, status) if type_ in _FAILED else None,
        payload=payload,
    )


def _message(body: Item, kind: str, request: Request) -> Event:
    message_id = identifier(body.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    customer, payload = dialled(body.get("from"), "sms"), _addresses(body)
    payload["providerStatus"] = kind[:255]
    if reference := text(body.get("client_reference")):
        payload["reference"] = reference[:1024]
    if carrier := text(body.get("operator_id")):
        payload["carrier"] = carrier[:255]
    content = _content(body, kind)
    if content is None:
        payload["native"] = unknown(request, body).payload["native"]
    elif content:
        payload["content"] = content
    when: datetime | None = from_text(body.get("sent_at")) or from_text(body.get("received_at"))
    return Event(
        "ProviderEventReceived" if content is None else "MessageReceived",
        request.source,
        fact_id("message", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=when,
        payload=payload,
    )


def _addresses(body: Item) -> Item:
    return {key: found.value for key in ("from", "to") if (found := dialled(body.get(key), "sms")) is not None}


def _content(body: Item, kind: str) -> Item | None:
    """Return the content, or None for an unknown kind. Binary content is base64, its header hexadecimal."""
    content_body = body.get("body")
    if kind == "mo_text":
        return {"text": words} if (words := text(content_body)) else {}
    if kind == "mo_binary":
        names = (("data", content_body), ("udh", body.get("udh")))
        return {key: written for key, value in names if (written := text(value))}
    if kind != "mo_media" or not isinstance(content_body, dict):
        return None
    content: Item = {
        key: words
        for key, name in (("text", "message"), ("subject", "subject"))
        if (words := text(content_body.get(name)))
    }
    files = content_body.get("media")
    names = (("url", "url"), ("type", "content_type"))
    if isinstance(files, list) and files:
        content["media"] = [
            {key: value for key, name in names if (value := text(file.get(name)))}
            for file in files[:100]
            if isinstance(file, dict)
        ]
    return content
