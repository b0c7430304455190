"""Makes events storable: replaces NUL and lone surrogates, sets aside details that their schema refuses, and refuses ids and
addresses that are too long."""

import re
from operator import attrgetter
from typing import Any

import orjson

from adapters.contract import MAX_ID
from adapters.reading.bodies import UNKEPT, scrub
from schemas import SchemaError, validate
from schemas.events import Event
from schemas.handles import MAX_LENGTH

#: Texts that only describe, and the most characters that the schemas allow of each (`schemas/definitions.json`). They are cut,
#: and an `ip` is left out: a browser may call itself anything, and no opt-out may be lost for it.
_CUT = {
    "userAgent": 4096,
    "url": 8192,
    "displayName": 1024,
    "providerStatus": 255,
    "carrier": 255,
    "list": 255,
    "bounceType": 255,
    "unsubscribeGroup": 255,
    "category": 255,
    "agent": 512,
    "ip": 64,
}
#: The first names of a JSONPath: a part of the payload, and of `content` its own part.
_PART = re.compile(r"\$\.(?P<name>\w+)(?:(?<=\$\.content)\.(?P<part>\w+))?")
_IDS = ("source_event_id", "provider_message_id", "message_id", "echoed_message_id")
_ids_of = attrgetter(*_IDS)
_NUL = b"\\u0000"


def size_of(event: Event) -> int:
    """Make the event storable, and return its size as JSON in bytes.

    Each NUL and lone surrogate in it, whatever encoding of the request hid it, becomes U+FFFD: PostgreSQL's text and jsonb
    hold no NUL, UTF-8 no lone surrogate. Raises SchemaError for an event that is nested too deeply, and for an id or
    address that is too long: if they were cut, two could become one. A text that only describes is cut, an `ip` left out.
    """
    payload = event.payload
    for name in payload.keys() & _CUT.keys():
        if isinstance(words := payload[name], str) and len(words) > (most := _CUT[name]):
            if name == "ip":
                del payload[name]  # a part of an address is another address
            else:
                payload[name] = words[:most]
    for name, id in zip(_IDS, _ids_of(event), strict=True):
        if id is not None and len(id) > MAX_ID:
            raise SchemaError("$", f"has an id ({name}) of more than {MAX_ID} characters")
    if event.handle is not None and len(event.handle.value) > MAX_LENGTH:
        raise SchemaError("$", f"has an address of more than {MAX_LENGTH} characters")
    written = _written(event)
    if written is None or _NUL in written:
        _scrub(event)
        written = _written(event)
    if written is None:
        raise SchemaError("$", "is nested too deeply to be kept")
    return len(written)


def fit(event: Event, most: int) -> int:
    """Validate an event's payload against the schema of its type, and return how many details were set aside for that.

    A detail that the schema refuses (a place without coordinates, a button's text that is too long) is moved into `native`,
    since no message or opt-out may be lost for one of its parts. Raises SchemaError if more than `most` would have to be
    moved, as each costs far more than the check, and for what cannot be moved.
    """
    for moved in range(most + 1):
        try:
            validate(event.type, event.payload)
        except SchemaError as error:
            if moved == most or not _set_aside(event.payload, error.path):
                raise
        else:
            return moved
    return most


def _set_aside(payload: dict[str, Any], path: str) -> bool:
    """Move the part of a payload, or of its content, that has an error at this JSONPath into `native`. Return whether there is
    one."""
    found = _PART.match(path)
    if found is None:
        return False
    content, name = payload.get("content"), found["part"] or found["name"]
    holder = content if found["part"] and isinstance(content, dict) else payload
    if name not in holder or name == "native":
        return False
    native = payload.get("native")
    rest: dict[str, Any] = native if isinstance(native, dict) else {} if native is None else {"native": native}
    payload["native"] = rest
    rest[name if name not in rest else f"refused {name}"] = holder.pop(name)
    return True


class Shown:
    """Selects the unprocessable items that are stored beside their reasons: those that JSON and PostgreSQL can hold, up to
    `left` bytes in all. The dead letter has the whole webhook as well."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __call__(self, item: Any) -> Any:
        """Return the item in a storable form, or None."""
        if self._left <= 0:
            return None
        written = _json(item)
        if written is None or _NUL in written:
            try:
                item = scrub(item, UNKEPT)
            except RecursionError:
                return None
            written = _json(item)
        self._left -= len(written or b"")
        return None if written is None or self._left < 0 else item


def _written(event: Event) -> bytes | None:
    handle, error = event.handle, event.error
    return _json(
        (
            event.payload,
            event.source_event_id,
            event.provider_message_id,
            event.message_id,
            event.echoed_message_id,
            handle and handle.value,
            error and (error.code, error.text),
        )
    )


def _scrub(event: Event) -> None:
    try:
        event.payload = scrub(event.payload, UNKEPT)
    except RecursionError as error:
        raise SchemaError("$", "is nested too deeply to be kept") from error
    for part, names in ((event, _IDS), (event.handle, ("value",)), (event.error, ("code", "text"))):
        for name in names if part is not None else ():
            setattr(part, name, scrub(getattr(part, name), UNKEPT))


def _json(item: Any) -> bytes | None:
    """Return the item as JSON, nested as deeply as storage nests it; None for a lone surrogate or too many levels."""
    try:
        return orjson.dumps([[[[[[[item]]]]]]])
    except orjson.JSONEncodeError:
        return None
