"""Reads Twilio's Event Streams: CloudEvents, whose data is a message's parameters in camel case, or a link's.

https://www.twilio.com/docs/events/event-types
"""

from typing import Any

import orjson

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
#: Event types of Conversations, and the word of the webhook that has the same parameters
#: (https://www.twilio.com/docs/events/event-types/conversations/message, where the text is `MessageBody`).
STREAM_CONVERSATIONS: dict[str, str] = {
    "com.twilio.conversations.message.added": "onMessageAdded",
    "com.twilio.conversations.message.updated": "onMessageUpdated",
    "com.twilio.conversations.message.removed": "onMessageRemoved",
}
#: Names of a message's or call's id in the data of other types.
_IDS = ("messageSid", "MessageSid", "message_sid", "callSid", "CallSid", "call_sid")
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
        native = _spelled_as_parameters(data)
        fields = {key: str(value) for key, value in native.items()}
        fields.setdefault("MessageStatus", kind.rpartition(".")[2])
        if messages.is_message(fields):
            time = from_text(data.get("timestamp"))
            return messages.events(fields, request, occurred_at=time, event_id=event_id, native=native)
    if kind == STREAM_CLICK:
        return [messages.click(data, request, event_id)]
    if (word := STREAM_CONVERSATIONS.get(kind)) is not None:
        native = _spelled_as_parameters(data) | {"EventType": word}
        fields = {
            key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in native.items()
        }
        fields.setdefault("Body", fields.pop("MessageBody", ""))
        added = conversations.events(fields, native, request)
        for event in added:
            event.source_event_id = event_id
        return added
    event = unknown(request, item, status=kind, event_id=event_id)
    event.occurred_at = from_text(item.get("time"))
    event.provider_message_id = next(filter(None, (identifier(data.get(name)) for name in _IDS)), None)
    return [event]


def _spelled_as_parameters(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data under the names that webhooks have: `messageSid` is `MessageSid` there."""
    return {f"{key[:1].upper()}{key[1:]}": value for key, value in data.items() if value is not None}
