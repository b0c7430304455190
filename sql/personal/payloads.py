"""Encrypts the personal properties of events' payloads, by the marks `x-personal` of the schemas.

Each marked value becomes a text, `sealed:` and base64, whatever it was before: a list or an object becomes one text. The sealed form is a
text and not an object, since it costs half the bytes in the row, and since the texts that schemas and queries expect stay texts. A value at a
marked place is always sealed, so a customer's text that begins with `sealed:` is not confused with one. `null` holds nothing,
and stays.

`content` is sealed key by key, since the fold joins contents key by key and takes the least text where both have a key (the
function `content_join` of the database). Encryption is deterministic, so equal values of one handle have equal sealed forms, and the
join stays commutative, associative and idempotent: it takes the least of a set of texts, whatever they mean. Of two different values it
may choose another one than it would of the plain texts, but the choice is the same at every append and rebuild. Names of keys that the
schema of `content` does not list are sealed too.
"""

from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from schemas.personal import Marks, marks_of
from sql.errors import Unstorable
from sql.parameters import clean
from sql.personal.keys import HandleKey

#: What a sealed text begins with.
PREFIX = "sealed:"
#: Each key remembers the sealed form of the last `FEW` texts of at most `SHORT` characters, which are then sealed only once.
SHORT, FEW = 64, 8
#: The property whose value is sealed key by key.
JOINED = "content"
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC
_NUL = b"\\u0000"
_UNNAMED = "*"

#: Stands in place of a value that is to be left out of a changed payload (see `left`).
OUT = object()
#: Changes the value of a place.
Each = Callable[[bytes, Any], Any]
#: Changes the name of a key of `content` that the schema does not list; returns the changed name and the plain one.
Name = Callable[[str], tuple[Any, str]]
#: The place of such a name.
NAMES = f"payload.{JOINED}.{_UNNAMED}".encode()


class Plan:
    """What to do with the value of one place: change it as a whole (`whole`), or change parts of it."""

    __slots__ = ("address", "items", "named", "path", "place", "rest", "touched", "whole")

    def __init__(self, marks: Marks, path: str) -> None:
        self.path, self.place = path, f"payload.{path}".encode()
        joined = path == JOINED and marks.whole
        self.whole = marks.whole and not joined
        self.address = marks.address
        within = {} if self.whole else marks.named
        above = f"{path}." if path else ""
        self.named = {name: Plan(Marks(True) if joined else inner, above + name) for name, inner in within.items()}
        self.rest = Marks(True) if joined else marks.rest
        self.items = None if marks.items is None or self.whole else Plan(marks.items, above + _UNNAMED)
        #: Whether anything is personal here.
        self.touched = marks.whole or any(True for _ in marks.paths())

    def finds(self, payload: Mapping[str, Any]) -> bool:
        """Return whether anything in a payload is personal."""
        found: list[bytes] = []

        def name(key: str) -> tuple[str, str]:
            found.append(NAMES)
            return key, key

        walk(self, payload, lambda place, _: found.append(place), name)
        return bool(found)

    def addresses(self) -> Iterator[bytes]:
        """Yield the places of addresses, which are never withheld."""
        if self.address:
            yield self.place
        for inner in (*self.named.values(), *((self.items,) if self.items else ())):
            yield from inner.addresses()

    def unnamed(self, name: str) -> bytes:
        """Return the place of a value under a key that the schema does not list, by its name as the store writes it."""
        if not name.isprintable():
            name = clean(name)
        return f"payload.{self.path}{'.' if self.path else ''}{_UNNAMED}:{name}".encode()


def seal_payload(type: str, payload: Mapping[str, Any], key: HandleKey) -> dict[str, Any]:
    """Return the payload with its personal values sealed. `type` is the event's type, or `schemas.personal.REQUEST` for the
    document of a request. Keys stay in order; in a sealed value they are sorted, so that it does not depend on their order. NUL
    and lone surrogates become U+FFFD, as the store does with them.

    An event's `error` is sealed as `seal_payload(type, {"error": error}, key)["error"]`. Raises SchemaError for an unknown
    type, Unstorable for what JSON cannot hold."""
    plan, made = plan_of(type), {}
    named, sealed = plan.named, key.sealed
    for name, value in payload.items():
        inner = named.get(name)
        # Most properties are of these two sorts, and an event in the log is worth the shorter way.
        if inner is not None and not inner.touched:
            made[name] = value
        elif inner is not None and inner.whole:
            if value.__class__ is str and (known := sealed.get((inner.place, value))) is not None:
                made[name] = known
            else:
                made[name] = value if value is None else seal_value(value, inner.place, key)
        else:
            made |= _sealed_in(plan, {name: value}, key)
    return made


def _sealed_in(plan: Plan, payload: Mapping[str, Any], key: HandleKey) -> dict[str, Any]:
    def each(place: bytes, value: Any) -> str:
        return seal_value(value, place, key)

    return walk(plan, payload, each, lambda name: (each(NAMES, name), name))


def seal_value(value: Any, place: bytes, key: HandleKey) -> str:
    """Return any value as a sealed text. A key remembers a few short texts, since most events of a handle repeat its address and ours.
    Raises Unstorable."""
    short = value.__class__ is str
    if short and (known := key.sealed.get((place, value))) is not None:
        return known
    data = _json(value)
    sealed = PREFIX + b2a_base64(key.seal(data, place), newline=False).decode()
    if key.recent is not None:
        # Most values are texts in which nothing was replaced: keep such a text as it is.
        key.recent.keep(place, sealed, value if short and value.isascii() and "\0" not in value else data)
    if short and len(value) <= SHORT:
        if len(key.sealed) >= FEW:
            del key.sealed[
                next(iter(key.sealed))
            ]  # the oldest: a message's events come together, and later no more of them
        key.sealed[place, value] = sealed
    return sealed


@cache
def plan_of(type: str) -> Plan:
    """Return what is to be done with a type's payload. Raises SchemaError for an unknown type."""
    return Plan(marks_of(type), "")


def walk(plan: Plan, payload: Mapping[str, Any], each: Each, name: Name) -> dict[str, Any]:
    """Return the payload with `each` personal value changed, and the `name` of each key that `content` should not have."""
    made = {}
    for key, value in payload.items():
        inner = plan.named.get(key)
        if inner is None:
            made[key] = value if value is None else each(plan.unnamed(key), value)
        elif inner.whole:
            made[key] = value if value is None else each(inner.place, value)
        elif key == JOINED and isinstance(value, dict):
            made[key] = _joined(inner, value, each, name)
        else:
            made[key] = _within(inner, value, each) if inner.touched else value
    return made


def left(value: Any) -> Any:
    """Return a value that `walk` changed, without the keys and values that are `OUT`."""
    if isinstance(value, dict):
        return {key: left(inner) for key, inner in value.items() if key is not OUT and inner is not OUT}
    if isinstance(value, list):
        return [left(inner) for inner in value if inner is not OUT]
    return value


def _joined(plan: Plan, content: Mapping[str, Any], each: Each, name: Name) -> dict[str, Any]:
    """Return a content with each value changed under its key, the names of unlisted keys too."""
    made: dict[str, Any] = {}
    for key, value in content.items():
        if (inner := plan.named.get(key)) is not None:
            made[key] = value if value is None else each(inner.place, value)
        else:
            changed, plain = name(key)
            made[changed] = value if value is None else each(plan.unnamed(plain), value)
    return made


def _within(plan: Plan, value: Any, each: Each) -> Any:
    """Return a value with its personal part, or the whole value, changed. A value of another shape than the schema's is personal as a
    whole."""
    if value is None or not plan.touched:
        return value
    if not plan.whole:
        if isinstance(value, dict) and (plan.named or plan.rest):
            return {
                key: _within(plan.named[key], inner, each)
                if key in plan.named
                else inner
                if inner is None or plan.rest is None
                else each(plan.unnamed(key), inner)
                for key, inner in value.items()
            }
        if isinstance(value, list) and plan.items is not None:
            return [_within(plan.items, inner, each) for inner in value]
    return each(plan.place, value)


def _json(value: Any) -> bytes:
    """Return a value as JSON in the one form in which it is sealed. Raises Unstorable."""
    try:
        data = orjson.dumps(value, option=_OPTIONS)
        if _NUL not in data:
            return data
    except TypeError:  # a lone surrogate, or a value that JSON does not have
        pass
    try:
        return orjson.dumps(clean(value), option=_OPTIONS)
    except (TypeError, RecursionError) as error:
        raise Unstorable(0, f"cannot be written as JSON: {error}") from error
