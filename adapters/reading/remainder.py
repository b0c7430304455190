"""Keeps what a message says and no field of ours holds, so that nothing of it is lost."""

from collections.abc import Collection
from typing import Any

from adapters.contract import Unprocessable
from schemas.events import Event

#: Most levels of a message's parts; the store writes 254, the JSON around them included.
_DEEPEST = 128


def keep_rest(event: Event, item: Any, routine: Collection[str] = ()) -> Event:
    """Add to the event's payload, as `native`, what `item` has and the event has not, and return the event.

    An empty value, a false one, and a text or a number that the event holds anywhere are left out, and so is what stands
    under one of the item's own keys in `routine`: what is read already, or says nothing of the message (an account's id, a
    version). A number counts as held with and without its plus, and so does the `type` of a part that names its one other key. A `native` that is there stays. Raises Unprocessable if `item` is nested too deeply.
    """
    if "native" in event.payload:
        return event
    known = {event.source_event_id, event.provider_message_id or "", event.message_id or ""}
    if event.handle is not None:
        known.add(event.handle.value)
    _collect(event.payload, known, 0)
    whole = {key: part for key, part in item.items() if key not in routine} if isinstance(item, dict) else item
    if rest := _rest(whole, known, 0):
        event.payload["native"] = rest
    return event


def _collect(value: Any, known: set[str], depth: int) -> None:
    if depth > _DEEPEST:
        raise Unprocessable(f"a message of more than {_DEEPEST} levels")
    if isinstance(value, dict):
        for part in value.values():
            _collect(part, known, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _collect(part, known, depth + 1)
    elif isinstance(value, str):
        known.add(value)
        if "\n" in value:  # parts that an adapter joined
            known.update(value.split("\n"))
    elif type(value) in (int, float):
        known.add(str(value))


def _rest(value: Any, known: set[str], depth: int) -> Any:
    """Return what is left of a value, or None."""
    if depth > _DEEPEST:
        raise Unprocessable(f"a message of more than {_DEEPEST} levels")
    if isinstance(value, dict):
        kept = {key: _rest(part, known, depth + 1) for key, part in value.items()}
        kept = {key: part for key, part in kept.items() if part is not None}
        return None if not kept or (kept.keys() == {"type"} and kept["type"] in value) else kept
    if isinstance(value, list):
        parts = [_rest(part, known, depth + 1) for part in value]
        return [part for part in parts if part is not None] or None
    if value in (None, False, ""):
        return None
    if value is True:
        return value
    written = str(value)
    return None if written in known or f"+{written}" in known else value
