"""Masks personal data: what a reader sees who may not see it (`+1 555 ••• ••67`, `a•••@e•••.com`, a text's length).

A mask tells people apart who are already known, and is not anonymous: it keeps the two last digits of a number, or the first
letter of an address. Pure; it takes plain values, so what is sealed is opened first.
"""

import re
from collections.abc import Mapping
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

from sql.personal.payloads import plan_of, walk

DOTS = "•••"
_SIZE = re.compile(rf"{DOTS}( \([0-9]+ (characters|items|keys)\))?")
#: Fewest digits of a national number of which the first three are shown.
_LONG = 9
#: Fewest characters of an id of which the last two are shown.
_LONG_ID = 8
_EMAIL = re.compile(r"([^\s@]+)@([^\s@]+)")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PREFIX = re.compile(r"([a-z][a-z0-9_]{1,31}):(.+)", re.DOTALL)
#: The properties that have addresses. Of all others only the size is shown.
_ADDRESSES = frozenset(
    f"payload.{path}".encode()
    for path in ("from", "to", "userId", "handle.value", "handles.*.value", "handleGiven", "username")
)


def mask_handle(kind: str, value: str) -> str:
    """Return what is shown of a handle."""
    if kind == "email" and (found := _EMAIL.fullmatch(value)):
        local, (host, dot, top) = found[1], found[2].rpartition(".")
        shown = local[0] if len(local) > 2 else ""
        return f"{shown}{DOTS}@{host[:1] if len(host) > 1 else ''}{DOTS}{dot}{top if dot else ''}"
    if kind == "phone" and _E164.fullmatch(value):
        return _phone(value)
    if found := _PREFIX.fullmatch(value):  # a chat platform, a network of devices, a scheme
        return f"{found[1]}:{mask_handle(kind_of(found[2]), found[2])}"
    return DOTS + (value[-2:] if len(value) >= _LONG_ID else "")


def kind_of(value: str) -> str:
    """Return the kind of handle that a text looks like, as far as masking needs it."""
    return "phone" if _E164.fullmatch(value) else "email" if _EMAIL.fullmatch(value) else "other"


def mask_value(value: Any) -> Any:
    """Return what is shown of any other value: its size, and of null that it is null. What was masked before it was stored
    (`sql.personal.withheld`) stays."""
    if isinstance(value, str):
        if _SIZE.fullmatch(value):
            return value
        return f"{DOTS} ({len(value)} characters)"
    if isinstance(value, list | dict):
        return f"{DOTS} ({len(value)} {'items' if isinstance(value, list) else 'keys'})"
    return None if value is None else DOTS


def mask_payload(type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain payload with its personal values masked. Names of keys that the schema of `content` does not list become
    one. Raises SchemaError for an unknown type."""
    return walk(plan_of(type), payload, _mask, lambda name: (DOTS, name))


def _mask(place: bytes, value: Any) -> Any:
    if place in _ADDRESSES and isinstance(value, str):
        return ", ".join(mask_handle(kind_of(one.strip()), one.strip()) for one in value.split(","))
    return mask_value(value)


def _phone(value: str) -> str:
    codes = (value[1:end] for end in (2, 3, 4))  # no country code begins with another
    code = next((code for code in codes if int(code) in COUNTRY_CODE_TO_REGION_CODE), None)
    if code is None:
        return f"+{DOTS}{value[-2:]}"
    national = value[1 + len(code) :]
    area = f"{national[:3]} " if len(national) >= _LONG else ""
    return f"+{code} {area}{DOTS} ••{national[-2:]}"
