"""Reads the parameters of the classic SMS API: status reports and inbound messages.

https://developers.messagebird.com/api/sms-messaging/#handle-a-status-report, …#receive-a-message; an inbound MMS and the
time of a short code as https://github.com/nyaruka/courier/blob/main/handlers/messagebird/handler_test.go has them. A
message to several recipients has one id, and one report per recipient.
"""

from datetime import UTC, datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.messagebird.errors import error_of
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.prices import price_of
from adapters.reading.shapes import list_of
from adapters.reading.times import from_text
from schemas.events import Event

Fields = dict[str, Any]

#: …#sms-statuses. `buffered`: the operator holds it because the phone is not reachable.
STATUSES: dict[str, str] = {
    "scheduled": "MessageQueued",
    "sent": "UserMessageSent",
    "buffered": "MessageDelayed",
    "delivered": "MessageDelivered",
    "expired": "MessageFailed",
    "delivery_failed": "MessageFailed",
}
_TEXTS = {"text": "body", "subject": "subject"}
#: Keys of a message that came in: …#receive-a-message, and of an MMS.
_OF_MESSAGE = frozenset({"body", "subject", "mediaURLs", "mediaUrls", "mediaContentUrls"})
_MOST_MEDIA = 100
_FAILED = frozenset({"MessageFailed", "MessageDelayed"})


def is_sms(fields: Fields) -> bool:
    """Return whether the parameters are those of a report or a message."""
    return "id" in fields and "recipient" in fields and (_is_report(fields) or "originator" in fields)


def event(fields: Fields, request: Request) -> Event:
    """Return the event. Raises Unprocessable if the message has no id."""
    message_id = identifier(fields.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    if _is_report(fields):
        return _report(fields, message_id, request)
    if _OF_MESSAGE.isdisjoint(fields):  # a report without its words, perhaps: of either direction
        found = unknown(request, whole_of(request))
        found.channel, found.provider_message_id = "sms", message_id
        return found
    return _message(fields, message_id, request)


def _is_report(fields: Fields) -> bool:
    """Return whether it is about a message of ours: a message that came in has no state."""
    return any(name.lower().startswith("status") for name in fields)


def _report(fields: Fields, message_id: str, request: Request) -> Event:
    get = fields.get
    status, why = (text(get("status")) or "").lower(), text(get("statusReason"))
    type_ = STATUSES.get(status, "ProviderEventReceived")
    customer = dialled(text(get("recipient")), "sms")
    payload: Fields = {"providerStatus": status[:255]}
    for key, found in (("to", customer), ("from", dialled(text(get("originator")), "sms"))):
        if found is not None:
            payload[key] = found.value
    for key, name, most in (("reference", "reference", 1024), ("carrier", "mccmnc", 255)):
        if value := text(get(name)):
            payload[key] = value[:most]
    if (segments := count(get("messagePartCount"))) is not None:
        payload["segments"] = segments
    if price := price_of(text(get("price[amount]")), get("price[currency]")):
        payload["price"] = price
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, whole_of(request)).payload["native"]
    code, when = text(get("statusErrorCode")), text(get("statusDatetime"))
    return Event(
        type_,
        request.source,
        fact_id("report", message_id, text(get("recipient")), status, why, when),
        channel="sms",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(when),
        error=error_of(code if code != "0" else None, why, status) if type_ in _FAILED else None,
        payload=payload,
    )


def _message(fields: Fields, message_id: str, request: Request) -> Event:
    get = fields.get
    customer, ours = dialled(text(get("originator")), "sms"), dialled(text(get("recipient")), "sms")
    payload: Fields = {}
    for key, found in (("from", customer), ("to", ours)):
        if found is not None:
            payload[key] = found.value
    content: Fields = {key: words for key in ("text", "subject") if (words := text(get(_TEXTS[key])))}
    # As the webhook spells it, and as the API does.
    urls = list_of(get("mediaURLs")) or list_of(get("mediaUrls")) or list_of(get("mediaContentUrls"))
    if media := [{"url": url} for url in urls[:_MOST_MEDIA] if isinstance(url, str) and url]:
        content["media"] = media
    if content:
        payload["content"] = content
    if reference := text(get("reference")):
        payload["reference"] = reference[:1024]
    return Event(
        "MessageReceived",
        request.source,
        fact_id("message", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=_created(get("createdDatetime")),
        payload=payload,
    )


def _created(value: Any) -> datetime | None:
    """Return the time of a message: ISO 8601, or of a short code's YYYYMMDDhhmmss in UTC."""
    if isinstance(value, str) and len(value) == 14 and value.isascii() and value.isdigit():
        try:
            return datetime.strptime(value, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            return None
    return from_text(value)
