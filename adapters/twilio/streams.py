"""Reads Twilio's Event Streams: CloudEvents, whose data is a message's parameters in camel case, or a link's.

https://www.twilio.com/docs/events/event-types
"""

from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.bodies import json_of
from adapters.reading.facts import identifier, unknown
from adapters.reading.times import from_text
from adapters.twilio import conversations, messages
from schemas.events import Event

#: Event types whose data is a message's parameters in camel case.
STREAM_MESSAGES = frozenset(
    f"com.twilio.messaging.{kind}"
    for kind in (
        "message.queued",
        "message.sent",
        "message.delivered",
        "message.undelivered",
        "message.failed",
        "message.read",
        "inbound-message.received",
    )
)
STREAM_CLICK = "com.twilio.daptbt.link-shortening.link-clicked"


def normalize(request: Request) -> Normalized:
    """Return the events of one CloudEvent, or of a list of them. Raises Unprocessable."""
    body = json_of(request)
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            result.events += _item(item, request)
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _item(item: Any, request: Request) -> list[Event]:
    if not isinstance(item, dict):
        raise Unprocessable("an item is not an object")
    kind, data, event_id = item.get("type"), item.get("data"), identifier(item.get("id"))
    if kind is None and (found := conversations.orchestrated(item, request)) is not None:
        return [found]
    if not isinstance(kind, str) or not isinstance(data, dict) or event_id is None:
        return [unknown(request, item, event_id=event_id)]
    if kind in STREAM_MESSAGES:
        fields = {f"{key[:1].upper()}{key[1:]}": str(value) for key, value in data.items() if value is not None}
        fields.setdefault("MessageStatus", kind.rpartition(".")[2])
        if messages.is_message(fields):
            time = from_text(data.get("timestamp"))
            return messages.events(fields, request, occurred_at=time, event_id=event_id)
    if kind == STREAM_CLICK:
        return [messages.click(data, request, event_id)]
    return [unknown(request, item, status=kind, event_id=event_id)]
