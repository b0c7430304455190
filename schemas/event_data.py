"""Makes an `Event` of the `data` of a CloudEvent or of an envelope."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from schemas import REPORTABLE, RESERVED, Form, SchemaError, validate
from schemas.chosen_ids import address_in, refusal_of
from schemas.events import EVENT_TYPES, TYPE_OF_DOTTED, Error, Event, Handle
from schemas.handles import handle_as, handle_of
from schemas.times import occurred

#: The direction of each type if `data.direction` is absent. Of a call only the start has a default: the fold keeps one
#: direction, which a guess at the call's end must not decide. A message of either side can be edited and deleted.
_OF_EITHER_SIDE = ("MessageEdited", "MessageDeleted")
DIRECTION_OF: dict[str, str] = {
    name: "inbound" if name in ("MessageReceived", "CallStarted") else "outbound"
    for name in EVENT_TYPES
    if ("Message" in name or name == "CallStarted") and name not in _OF_EITHER_SIDE
}
#: The channel that follows from the kind of an address.
CHANNEL_OF: dict[str, str] = {
    "email": "email",
    "device_token": "push",
    "whatsapp_user_id": "whatsapp",
    "sip": "voice",
}
#: The keys of the customer's address, by direction; types without a direction may have it under either key.
_ADDRESS_KEYS: dict[str, tuple[str, ...]] = {"inbound": ("from",), "outbound": ("to",)}
_EITHER: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("RecipientUnsubscribed", "RecipientSubscribed", *_OF_EITHER_SIDE), ("from", "to")
)
#: The source of the events that Threadline makes itself.
OURS = "threadline"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: A time this far ahead of our clock comes from a wrong clock, and is left out.
_AHEAD = timedelta(days=1)


def check_source(source: str) -> str:
    """Return the source if others may use it: not our own name, and a CloudEvents string, which has no control
    characters (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system). Raises SchemaError at
    `$.source`."""
    check_text(source, "$.source")
    if source.strip().casefold() == OURS:
        raise SchemaError(
            "$.source", f"{OURS!r} is what Threadline calls itself: give a name of your own, such as '/bookings'"
        )
    if found := address_in(source):
        raise SchemaError("$.source", f"must not have {found} in it: it is kept and passed on in clear")
    return source


def check_text(text: str, path: str) -> None:
    """Raise SchemaError at `path` if the text holds a control character or a lone surrogate."""
    if _UNPRINTABLE.search(text):
        raise SchemaError(path, "holds a control character or a lone surrogate")


def type_named(name: str, path: str) -> str:
    """Return our event type for a name, dotted (`message.delivered`) or not (`MessageDelivered`).

    Raises SchemaError at `path`, with similar names, or with the reason why only Threadline makes the type.
    """
    type = TYPE_OF_DOTTED.get(name) or (name if name in EVENT_TYPES else None)
    if type is None:
        raise SchemaError(path, f"there is no event type {name[:100]!r}{_suggestion(name[:100].lower())}")
    if type in RESERVED:
        raise SchemaError(path, f"{name} is not for others to say: {RESERVED[type]}")
    return type


def event_of(
    type: str,
    data: Mapping[str, Any],
    *,
    source: str,
    source_event_id: str,
    at: datetime | None,
    received_at: datetime,
    form: Form,
) -> Event:
    """Make an event of `data`. The payload is `data` without its null keys, which many serializers write for absent
    values.

    `at` is when it happened, if that is given outside of `data`; else `data.timestamp`. With the form `reported` an
    unreadable address is an error; with `relayed` the event has no handle then. Raises SchemaError with the path from
    `data` (`$.messageId`).
    """
    payload = _without_nulls(data)
    for key in ("content", "error"):
        if isinstance(part := payload.get(key), dict):
            payload[key] = _without_nulls(part)
    validate(type, payload, form)
    channel = payload.get("channel") or ("voice" if type.startswith("Call") else None)
    direction = payload.get("direction") or DIRECTION_OF.get(type)
    keys = _ADDRESS_KEYS.get(direction or "") or _EITHER.get(type, ())
    handle = _handle(payload, channel, keys, strict=form == "reported")
    if channel is None and handle is not None:
        channel = CHANNEL_OF.get(handle.kind)
    id = payload.get("messageId")
    if id is not None and (found := address_in(id, () if handle is None else (handle,))):
        raise SchemaError("$.messageId", refusal_of(found))
    if at is None and "timestamp" in payload:
        at = time_of(payload["timestamp"], "$.timestamp", received_at)
    return Event(
        type=type,
        source=source,
        source_event_id=source_event_id,
        channel=channel,
        direction=direction,
        provider_message_id=payload.get("providerMessageId"),
        message_id=id,
        handle=handle,
        occurred_at=at,
        error=_error(payload.get("error")),
        payload=payload,
        provider=payload.get("provider"),
    )


def _without_nulls(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if value is not None}


def time_of(text: Any, path: str, received_at: datetime) -> datetime | None:
    """Read when it happened; None if the clock is plainly wrong (before 2000, or a day ahead of ours). Raises
    SchemaError."""
    try:
        if not isinstance(text, str):
            raise ValueError("must be a string: a time with its offset (RFC 3339), such as 2025-11-21T03:42:00Z")
        at = occurred(text)
    except ValueError as error:
        raise SchemaError(path, str(error)) from error
    return at if at is None or at <= received_at + _AHEAD else None


def _handle(payload: dict[str, Any], channel: str | None, keys: Sequence[str], *, strict: bool) -> Handle | None:
    """Read the handle: from `userId`, else from the typed `handle`, else from the first address of `keys`, by its
    form."""
    path = "$"
    try:
        if "userId" in payload:
            path = "$.userId"
            return handle_as("user_id", payload["userId"])
        if "handle" in payload:
            path = "$.handle.value"
            return handle_as(payload["handle"]["kind"], payload["handle"]["value"])
        for key in keys:
            if text := payload.get(key):
                path = f"$.{key}"
                return handle_of(text, channel)
    except ValueError as error:
        if strict:
            raise SchemaError(path, str(error)) from error
    return None


def _error(error: dict[str, Any] | None) -> Error | None:
    if error is None:
        return None
    code = error.get("code")
    return Error(None if code is None else str(code), error.get("text"), error.get("reason", "unknown"))


def _suggestion(name: str) -> str:
    """Suggest types for an unknown name: without its prefix, with the same last part, or spelled similarly; else list
    all."""
    known = {dotted: dotted for type, dotted in EVENT_TYPES.items() if type in REPORTABLE}
    if near := [dotted for dotted in known if name.endswith(f".{dotted}")]:
        return f"; say {near[0]!r}, without a prefix"
    near = [dotted for dotted in known if dotted.rpartition(".")[2] == name.rpartition(".")[2]]
    if not near:
        known |= {type.lower(): dotted for type, dotted in EVENT_TYPES.items() if type in REPORTABLE}
        near = list(dict.fromkeys(known[word] for word in get_close_matches(name, known, n=3, cutoff=0.7)))
    return (
        f"; did you mean {' or '.join(map(repr, near))}?"
        if near
        else f"; there are: {', '.join(EVENT_TYPES[t] for t in REPORTABLE)}"
    )
