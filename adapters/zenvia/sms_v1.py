"""Reads the callbacks of Zenvia's SMS API version 1: an inbound message (`callbackMoRequest`) and a status (`callbackMtRequest`).

The version is older than version 2, which its own page describes. Its fields and codes are as
https://github.com/nyaruka/courier (handlers/zenvia) reads them.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import dialled, written
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from schemas.events import Error, Event

Item = dict[str, Any]

#: `status` of a message that was sent.
CODES: dict[str, str] = {
    "00": "UserMessageSent",
    "01": "MessageQueued",
    "02": "UserMessageSent",
    "03": "MessageDelivered",
    "04": "MessageFailed",
    "05": "MessageFailed",
    "06": "MessageFailed",
    "07": "MessageFailed",
    "08": "MessageFailed",
    "09": "MessageFailed",
    "10": "MessageFailed",
}
_REASONS = {"04": "unreachable", "05": "unreachable", "06": "blocked", "07": "invalid_address", "08": "content"}


def event(body: Item, request: Request) -> Event | None:
    """Return the event of a callback, None for any other body. Raises Unprocessable if it has no id."""
    for name, read in (("callbackMoRequest", _inbound), ("callbackMtRequest", _status)):
        if isinstance(item := body.get(name), dict):
            if (message_id := identifier(item.get("id"))) is None:
                raise Unprocessable(f"a {name} without its id")
            return keep_rest(read(item, message_id, request), item)
    return None


def _inbound(item: Item, message_id: str, request: Request) -> Event:
    payload: Item = {"content": {"text": text(item.get("body")) or ""}}
    for key, name in (("from", "mobile"), ("to", "shortCode")):
        if address := written(text(item.get(name)), "sms"):
            payload[key] = address
    if answered := text(item.get("correlatedMessageSmsId")):
        payload["inReplyTo"] = answered
    return Event(
        "MessageReceived",
        request.source,
        fact_id("v1", "inbound", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=dialled(item.get("mobile"), "sms"),
        occurred_at=from_text(item.get("received")),
        payload=payload,
    )


def _status(item: Item, message_id: str, request: Request) -> Event:
    code = text(item.get("status")) or ""
    type_ = CODES.get(code)
    known_by = fact_id("v1", "status", message_id, code, text(item.get("received")))
    if type_ is None:
        event = unknown(request, item, status=code or None, event_id=known_by)
    else:
        event = Event(type_, request.source, known_by, payload={"providerStatus": code})
    event.channel, event.direction, event.provider_message_id = "sms", "outbound", message_id
    event.occurred_at = from_text(item.get("received"))
    if carrier := text(item.get("mobileOperatorName")):
        event.payload["carrier"] = carrier
    if type_ == "MessageFailed":
        words = text(item.get("statusDetailMessage")) or text(item.get("statusMessage"))
        event.error = Error(text(item.get("statusDetail")), words, _REASONS.get(code, "unknown"))
    return event
