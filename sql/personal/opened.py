"""Decrypts the values that `sql.personal.payloads` encrypted. A value whose handle was erased is left out."""

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import orjson

from sql.personal.keys import HandleKey
from sql.personal.payloads import JOINED, NAMES, OUT, PREFIX, left, plan_of, walk
from sql.personal.recent import At, Recent
from sql.sealing import Tampered

#: Returns the key of the handle that a sealed value names, None if the handle was erased. Raises Tampered if the value names no handle.
KeyOf = Callable[[bytes], HandleKey | None]


#: A type of events that have contents.
_SPOKEN = "MessageReceived"


class Memo:
    """The opened texts of a page, by place and sealed form, since texts repeat within a page; and the values that this process sealed
    lately."""

    __slots__ = ("_recent", "texts")

    def __init__(self, recent: Recent | None = None) -> None:
        self.texts: dict[At, str] = {}
        self._recent = recent if recent else None

    def get(self, at: At) -> Any:
        """Return the value of this sealed form in this place; None if it is not known."""
        known = self.texts.get(at)
        return self._recent.get(at) if known is None and self._recent is not None else known


def open_payload(type: str, payload: Mapping[str, Any], key_of: KeyOf, memo: Memo | None = None) -> dict[str, Any]:
    """Return the plain payload, without the values of erased handles. `key_of` returns the key of a sealed value, None if its handle was
    erased; `memo`: the values that were opened before. Raises Tampered, also if a personal value is not sealed; SchemaError for an unknown
    type; and what `key_of` raises."""
    plan, made = plan_of(type), {}
    named = plan.named
    gone = False

    def each(place: bytes, value: Any) -> Any:
        if not is_sealed(value):
            where = place.partition(b"*:")[
                0
            ].decode()  # the place without a name that the schema does not list, which may be personal
            raise Tampered(f"{where} holds personal data that is not sealed")
        opened = open_value(value, place, key_of, memo)
        if opened is not None:  # no value is null
            return opened
        nonlocal gone
        gone = True
        return OUT

    def name(sealed: str) -> tuple[Any, str]:
        plain = each(NAMES, sealed)
        return plain, "" if plain is OUT else plain

    for key, value in payload.items():
        inner = named.get(key)
        # Most properties are of these two sorts.
        if inner is not None and not inner.touched:
            made[key] = value
        elif (
            inner is not None and inner.whole and memo is not None and value.__class__ is str
            and (known := memo.get((inner.place, value))) is not None
        ):  # fmt: skip
            made[key] = known
        else:
            made |= walk(plan, {key: value}, each, name)
    return left(made) if gone else made


def open_content(content: Mapping[str, Any], key_of: KeyOf, memo: Memo) -> dict[str, Any]:
    """Return the plain `content` of a payload, as `open_payload` does. All types of events that have contents have the same."""
    named, made = plan_of(_SPOKEN).named[JOINED].named, {}
    for key, value in content.items():
        inner = named.get(key)
        if inner is None or not is_sealed(value) or (opened := open_value(value, inner.place, key_of, memo)) is None:
            whole: dict[str, Any] = open_payload(_SPOKEN, {JOINED: content}, key_of, memo)[JOINED]
            return whole
        made[key] = opened
    return made


def is_sealed(value: Any) -> TypeGuard[str]:
    """Return whether a value is sealed, in a place where all values are to be sealed."""
    return value.__class__ is str and value.startswith(PREFIX)


def open_value(sealed: str, place: bytes, key_of: KeyOf, memo: Memo | None = None) -> Any:
    """Return the value of a sealed text; None if its handle was erased. Raises Tampered, and what `key_of` raises."""
    if memo is not None and (known := memo.get((place, sealed))) is not None:
        return known
    try:
        data = a2b_base64(sealed[len(PREFIX) :], strict_mode=True)
    except (NotBase64, ValueError) as error:  # ValueError: not ASCII
        raise Tampered("it is not base64") from error
    key = key_of(data)
    value = None if key is None else orjson.loads(key.open(data, place))
    if memo is not None and value.__class__ is str:  # the receiver could change a list or an object
        memo.texts[place, sealed] = value
    return value
