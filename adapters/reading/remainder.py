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
    if (rest := _rest(whole, known, 0)) is not None:
        event.payload["native"] = rest
    return event


def _collect(value: Any, known: set[str], depth: int) -> None:
    """Add each text and number of a value to `known`, and each line of a text, as an adapter may have joined several."""
    kind = type(value)
    if kind is str:
        known.add(value)
        if "\n" in value:
            known.update(value.split("\n"))
    elif kind is dict or kind is list:
        if depth > _DEEPEST:
            raise Unprocessable(f"a message of more than {_DEEPEST} levels")
        for part in value.values() if kind is dict else value:
            _collect(part, known, depth + 1)
    elif kind is int or kind is float:
        known.add(str(value))


def _rest(value: Any, known: set[str], depth: int) -> Any:
    """Return what is left of a value, or None."""
    kind = type(value)
    if kind is str:
        return None if not value or value in known or f"+{value}" in known else value
    if kind is dict:
        return _rest_of_object(value, known, depth)
    if kind is list:
        if depth > _DEEPEST:
            raise Unprocessable(f"a message of more than {_DEEPEST} levels")
        parts = [left for part in value if (left := _rest(part, known, depth + 1)) is not None]
        return parts or None
    if value is None or value is False:
        return None
    return None if value is not True and (str(value) in known or f"+{value}" in known) else value


def _rest_of_object(value: dict[str, Any], known: set[str], depth: int) -> dict[str, Any] | None:
    if depth > _DEEPEST:
        raise Unprocessable(f"a message of more than {_DEEPEST} levels")
    kept = {key: left for key, part in value.items() if (left := _rest(part, known, depth + 1)) is not None}
    if len(kept) == 1 and isinstance(kind := kept.get("type"), str) and kind in value:
        return None
    return kept or None
