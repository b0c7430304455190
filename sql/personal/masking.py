"""Masks personal data for readers who may not see it (`+1 555 ••• ••67`, `a•••@e•••.com`, a text's length). A list stays a list
and an object stays an object, so that the API's answers still fit their description.

Masks are not anonymous: somebody who knows the possible people can tell them apart, by the two last digits of a number or the first
letter of an address. Pure; it takes plain values, so sealed values are opened first.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.numbering import parted
from schemas.personal import REQUEST
from sql.personal.payloads import plan_of, walk

DOTS = "•••"
_SIZE = re.compile(rf"{DOTS}( \([0-9]+ characters\))?")
#: Fewest digits of a national number of which the first three are shown.
_LONG = 9
#: Fewest characters of an id of which the last two are shown.
_LONG_ID = 8
#: Fewest characters of a provider's id of a message of which both ends are shown, enough to find it at the provider.
_LONG_MESSAGE_ID = 16
_EMAIL = re.compile(r"([^\s@]+)@([^\s@]+)")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PREFIX = re.compile(r"([a-z][a-z0-9_]{1,31}):(.+)", re.DOTALL)
#: The kinds of handles that may begin with the word of a platform, a network or a scheme, which is shown.
_PREFIXED = frozenset({"chat_id", "device_id", "sip", "other"})
#: The properties that have addresses. Of all others only the size is shown.
_ADDRESSES = frozenset(
    f"payload.{path}".encode()
    for path in ("from", "to", "userId", "handle.value", "handles.*.value", "handleGiven", "username")
)
#: The property that has a provider's id of a message.
_THEIR_ID = b"payload.providerMessageId"


def mask_handle(kind: str, value: str) -> str:
    """Return the mask of a handle."""
    if kind == "email" and (found := _EMAIL.fullmatch(value)):
        local, (host, dot, top) = found[1], found[2].rpartition(".")
        shown = local[0] if len(local) > 2 else ""
        return f"{shown}{DOTS}@{host[:1] if len(host) > 1 else ''}{DOTS}{dot}{top if dot else ''}"
    if kind == "phone" and _E164.fullmatch(value):
        return _phone(value)
    if kind in _PREFIXED and (found := _PREFIX.fullmatch(value)):
        return f"{found[1]}:{mask_handle(kind_of(found[2]), found[2])}"
    return DOTS + (value[-2:] if len(value) >= _LONG_ID else "")


def mask_id(id: str) -> str:
    """Return the mask of a provider's id of a message, which may hold an address (WhatsApp's does, in the middle of the id)."""
    return f"{id[:4]}{DOTS}{id[-4:]}" if len(id) >= _LONG_MESSAGE_ID else DOTS


def kind_of(value: str) -> str:
    """Return the kind of handle that a text looks like, as far as masking needs it."""
    return "phone" if _E164.fullmatch(value) else "email" if _EMAIL.fullmatch(value) else "other"


def mask_value(value: Any) -> Any:
    """Return the mask of any other value: for a text its length, for a list the masks of its items, for an object the number of its keys
    (their names may be personal too); null stays null. A value that was masked before it was stored (`sql.personal.withheld`) stays."""
    if isinstance(value, str):
        if _SIZE.fullmatch(value):
            return value
        return f"{DOTS} ({len(value)} characters)"
    if isinstance(value, list):
        return [mask_value(one) for one in value]
    if isinstance(value, dict):
        return value if value.keys() == {DOTS} else {DOTS: f"{len(value)} keys"}
    return None if value is None else DOTS


def mask_payload(type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain payload with its personal values masked. Names of keys that the schema of `content` does not list become
    one. Raises SchemaError for an unknown type."""
    return walk(plan_of(type), payload, _mask, lambda name: (DOTS, name))


def mask_row(row: Mapping[str, Any], columns: Iterable[str] | None = None) -> dict[str, Any]:
    """Return an opened row of the store in which the values of these columns of `COLUMNS`, or of all of them, are masked. Other values and
    null stay."""
    columns = COLUMNS if columns is None else columns
    masked = {name: COLUMNS[name](row, row[name]) for name in columns if row.get(name) is not None}
    return {**row, **masked}


def _mask(place: bytes, value: Any) -> Any:
    if place in _ADDRESSES and isinstance(value, str):
        return _addresses(value)
    if place in _ADDRESSES and isinstance(value, dict):  # an address for each channel
        return {name: _addresses(one) if isinstance(one, str) else mask_value(one) for name, one in value.items()}
    return mask_id(value) if place == _THEIR_ID and isinstance(value, str) else mask_value(value)


def _addresses(value: str) -> str:
    return ", ".join(mask_handle(kind_of(one.strip()), one.strip()) for one in value.split(","))


def _content(_: Mapping[str, Any], content: Mapping[str, Any]) -> Any:
    # Of any type: all have the same contents.
    return mask_payload("MessageReceived", {"content": content})["content"]


def _error(_: Mapping[str, Any], error: Mapping[str, Any]) -> Any:
    return (
        {**error, "text": mask_value(error["text"])} if "text" in error else error
    )  # emptied: it has the reason alone


def _dialled(_: Mapping[str, Any], handles: list[list[Any]]) -> Any:
    """Mask the addresses of a message, each `[channel, kind and value, …]`."""
    pairs = [(each, *each[1].partition("\x1f")[::2]) for each in handles]
    return [[each[0], f"{kind}\x1f{mask_handle(kind, value)}", *each[2:]] for each, kind, value in pairs]


def _handle(kind: str) -> Callable[[Mapping[str, Any], Any], Any]:
    return lambda row, value: mask_handle(row.get(kind) or "other", value)


def _whole(_: Mapping[str, Any], value: Any) -> Any:
    return mask_value(value)


#: The functions that mask the columns which the store keeps sealed, given the opened row.
COLUMNS: dict[str, Callable[[Mapping[str, Any], Any], Any]] = {
    "payload": lambda row, payload: mask_payload(row["type"], payload),
    "handle_value": _handle("handle_kind"),
    "address_value": _handle("address_kind"),
    "of_value": _handle("of_kind"),
    "value": _handle("kind"),
    "content": _content,
    "error": _error,
    "provider_message_id": lambda _, id: mask_id(id),
    "providerMessageId": lambda _, id: mask_id(id),
    "cause": _whole,
    "decided_cause": _whole,
    "trouble": _whole,
    "request": lambda _, request: mask_payload(REQUEST, request),
    "handles": _dialled,
}


def _phone(value: str) -> str:
    code, national = parted(value)
    if not code:
        return f"+{DOTS}{value[-2:]}"
    area = f"{national[:3]} " if len(national) >= _LONG else ""
    return f"+{code} {area}{DOTS} ••{national[-2:]}"
