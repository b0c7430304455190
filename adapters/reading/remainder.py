"""Keeps in an event's `native` what a message says and no field of ours holds, so that nothing of it is lost.

An item is a webhook, or the part of it that an event is made of. Only the remaining values are kept, each in its place,
so that an event does not have the whole item a second time.
"""

from collections.abc import Collection
from typing import Any

import orjson

from adapters.reading.times import from_text, from_unix_or_millis
from schemas.events import Event

#: A value of fewer characters may be in the event by chance (`1`, `GSM`), so that it counts as held only under its own name.
_BY_CHANCE = 4
#: Levels of an item that are searched; what is deeper is kept as the text of its JSON.
_DEPTH = 32


def keep_rest(event: Event, item: Any, routine: Collection[str] = (), *, read: Collection[str] = ()) -> Event:
    """Add to the event's payload, as `native`, what `item` has and the event has not, and return the event.

    A value is held if the payload has it, in the provider's spelling or without the plus of a number, or if it is the
    event's id, time, address or error. Empty and false values are left out, and so is the `type` of a part of which all else
    is held. Keys in `routine` (of the item itself) and in `read` (at any level) are left out whatever their value: the
    event's type says the same (the word of a state), or they say nothing of the message (an account's id, a version).
    What `native` has already stays.
    """
    native = event.payload.get("native")
    if native is not None and (event.type == "ProviderEventReceived" or not isinstance(native, dict)):
        return event  # it is the item itself
    whole = {key: part for key, part in item.items() if key not in routine} if isinstance(item, dict) else item
    if (rest := _rest(whole, _Held(event, read), "", 0)) is not None:
        add_native(event.payload, rest)
    return event


def keep_flat(event: Event, item: dict[str, Any], read: Collection[str]) -> Event:
    """Do as `keep_rest` does for a flat item, at a quarter of its cost: keys in `read` are left out whatever their
    value. A text is held if the event has it under any name; a part with an inside is kept whole."""
    held = {event.echoed_message_id, *[one for one in event.payload.values() if isinstance(one, str)]}
    if event.error is not None:
        held |= {event.error.code, event.error.text}
    rest: dict[str, Any] = {}
    for key, value in item.items():
        if key in read or value is None or value is False or value == "":
            continue
        if isinstance(value, str):
            if len(value) < _BY_CHANCE or value not in held:
                rest[key] = value
        elif not isinstance(value, dict | list):
            rest[key] = value
        elif (inner := _rest(value, _NOTHING, key, 1)) is not None:
            rest[key] = inner
    if rest:
        add_native(event.payload, rest)
    return event


def add_native(payload: dict[str, Any], rest: Any) -> None:
    """Add what no field holds to a payload's `native`, key by key where both are objects."""
    native = payload.get("native")
    payload["native"] = native | rest if isinstance(native, dict) and isinstance(rest, dict) else rest


class _Held:
    """The values that an event holds, by their text, and by their name too if they are short. They are gathered at the first
    question, as of many items nothing remains to ask for."""

    def __init__(self, event: Event, read: Collection[str]) -> None:
        self.read, self._event, self._gathered = read, event, False
        self._time = event.occurred_at
        self._texts: set[str] = set()
        self._named: set[tuple[str, str]] = set()
        self._ids: frozenset[str] = frozenset()

    def _gather(self) -> None:
        self._gathered = True
        event = self._event
        handle, error = event.handle, event.error
        ids = (
            event.source_event_id,
            event.provider_message_id,
            event.message_id,
            event.echoed_message_id,
            handle and handle.value,
            error and error.code,
        )
        self._ids = frozenset(one for one in ids if one)
        for one in (*ids, error and error.text):
            if one:
                self._add("", one)
        self._walk("", event.payload, 0)

    def __contains__(self, leaf: tuple[str, Any]) -> bool:
        name, value = leaf
        if not self._gathered:
            self._gather()
        text = value if isinstance(value, str) else str(value)
        if (name, text) in self._named or text in self._ids:
            return True
        if len(text) >= _BY_CHANCE and not isinstance(value, bool):
            return text in self._texts or text.removeprefix("+") in self._texts or self._is_time(value, text)
        return False

    def _is_time(self, value: Any, text: str) -> bool:
        if self._time is None:
            return False
        if text.isdigit() or not isinstance(value, str):
            return self._time == from_unix_or_millis(value)
        # ISO 8601 or RFC 2822: any other text would be parsed in vain, which takes longer than all else here.
        written = text[4:5] == "-" or text[3:4] == "," or (":" in text and text[:1].isdigit())
        return written and self._time == from_text(text)

    def _add(self, name: str, text: str) -> None:
        self._named.add((name, text))
        self._texts.add(text)
        if text[:1] == "+":
            self._texts.add(text[1:])
        if "\n" in text:  # parts that an adapter joined
            self._texts.update(text.split("\n"))

    def _walk(self, name: str, value: Any, depth: int) -> None:
        if value.__class__ is str:
            self._add(name, value)
        elif isinstance(value, dict):
            for key, inner in value.items() if depth < _DEPTH else ():
                self._walk(key, inner, depth + 1)
        elif isinstance(value, list):
            for inner in value if depth < _DEPTH else ():
                self._walk(name, inner, depth + 1)
        elif value is not None:
            self._add(name, value if isinstance(value, str) else str(value))


class _Nothing:
    """Holds no value."""

    read: Collection[str] = ()

    def __contains__(self, leaf: tuple[str, Any]) -> bool:
        return False


_NOTHING = _Nothing()


def _rest(value: Any, held: _Held | _Nothing, name: str, depth: int) -> Any:
    """Return what remains of a value, or None if nothing does."""
    if value.__class__ is str:  # most values
        return None if value == "" or (name, value) in held else value
    if value is None or value is False or value == "" or value == [] or value == {}:
        return None
    if isinstance(value, dict | list) and depth >= _DEPTH:
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError:
            return None
    if isinstance(value, dict):
        parts = {
            key: rest
            for key, inner in value.items()
            if key not in held.read and (rest := _rest(inner, held, key, depth + 1)) is not None
        }
        return None if not parts or (parts.keys() == {"type"} and len(value) > 1) else parts
    if isinstance(value, list):
        return [rest for inner in value if (rest := _rest(inner, held, name, depth + 1)) is not None] or None
    return None if (name, value) in held else value
