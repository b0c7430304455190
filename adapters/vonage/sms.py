"""Reads the parameters of Vonage's SMS API: delivery receipts (`status`), and inbound messages.

https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts and …/guides/inbound-sms. In a receipt `msisdn` is
the recipient and `to` the sender; in an inbound message `msisdn` is the sender.
"""

from datetime import UTC, datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import dialled
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.prices import price_of
from adapters.reading.times import from_text
from adapters.vonage.errors import sms_error
from schemas.events import Event

Fields = dict[str, Any]

#: …/guides/delivery-receipts#dlr-messages. `accepted`: the carrier has it; `buffered`: it is being retried.
STATUSES: dict[str, str] = {
    "accepted": "UserMessageSent",
    "buffered": "MessageDelayed",
    "delivered": "MessageDelivered",
    "expired": "MessageFailed",
    "failed": "MessageFailed",
    "rejected": "MessageFailed",
    "unknown": "ProviderEventReceived",
}
#: …/guides/inbound-sms: `type` of a message that came in.
KINDS = frozenset({"text", "unicode", "binary"})
#: The parameters that only a receipt has, and those of which a message has one.
_OF_RECEIPT = frozenset({"status", "err-code", "scts", "network-code"})
_OF_MESSAGE = frozenset({"text", "data", "keyword", "type"})
_PARTS = (("reference", "concat-ref"), ("number", "concat-part"), ("total", "concat-total"))


def event(fields: Fields, request: Request) -> Event:
    """Return the event. Raises Unprocessable if there is no id."""
    message_id = identifier(fields.get("messageId"))
    if message_id is None:
        raise Unprocessable("a message without its messageId")
    if not _OF_RECEIPT.isdisjoint(fields):
        return _receipt(fields, message_id, request)
    kind = (text(fields.get("type")) or "text").lower()
    if kind in KINDS and not _OF_MESSAGE.isdisjoint(fields):
        return _message(fields, message_id, kind, request)
    found = unknown(request, whole_of(request), status=text(fields.get("type")))
    found.channel, found.provider_message_id = "sms", message_id
    return found


def _receipt(fields: Fields, message_id: str, request: Request) -> Event:
    get = fields.get
    status, code = (text(get("status")) or "").lower(), text(get("err-code"))
    type_ = STATUSES.get(status, "ProviderEventReceived")
    customer = dialled(get("msisdn"), "sms")
    payload: Fields = {"providerStatus": status[:255]}
    if customer is not None:
        payload["to"] = customer.value
    for key, name in (("from", "to"), ("carrier", "network-code"), ("reference", "client-ref")):
        if value := text(get(name)):
            payload[key] = value[:255]
    if price := price_of(get("price")):
        payload["price"] = price
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, whole_of(request)).payload["native"]
    failed = type_ == "MessageFailed" or (type_ == "MessageDelayed" and code not in (None, "0"))
    return Event(
        type_,
        request.source,
        # `message-timestamp` is the time of this attempt to report the receipt: it is not part of the id.
        fact_id("receipt", message_id, status, code, text(get("scts"))),
        channel="sms",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(get("message-timestamp")) or _scts(get("scts")),
        error=sms_error(code, status) if failed else None,
        payload=payload,
    )


def _message(fields: Fields, message_id: str, kind: str, request: Request) -> Event:
    get = fields.get
    customer, ours = dialled(get("msisdn"), "sms"), dialled(get("to"), "sms")
    payload: Fields = {"providerStatus": kind[:255]}
    for key, found in (("from", customer), ("to", ours)):
        if found is not None:
            payload[key] = found.value
    content = {
        key: value for key, name in (("text", "text"), ("data", "data"), ("udh", "udh")) if (value := text(get(name)))
    }
    if content:
        payload["content"] = content
    if get("concat") in ("true", True):
        payload["part"] = {key: value for key, name in _PARTS if (value := text(get(name)))}
    return Event(
        "MessageReceived",
        request.source,
        fact_id("message", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(get("message-timestamp")),
        payload=payload,
    )


def _scts(value: Any) -> datetime | None:
    """Return the time of YYMMDDHHMM in UTC."""
    if not isinstance(value, str) or len(value) != 10 or not (value.isascii() and value.isdigit()):
        return None
    try:
        return datetime.strptime(value, "%y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None
