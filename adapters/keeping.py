"""What of an event can be kept: JSON without NUL and lone surrogates, ids that are ids."""

from typing import Any

import orjson

from adapters.contract import MAX_ID
from adapters.reading.bodies import UNKEPT, scrub
from schemas import SchemaError
from schemas.events import Event
from schemas.handles import MAX_LENGTH

_IDS = ("source_event_id", "provider_message_id", "message_id")
_NUL = b"\\u0000"


def size_of(event: Event) -> int:
    """The bytes that it has as JSON, once it is as it can be kept: each NUL and lone surrogate in it, whatever encoding
    of the request hid it, is made U+FFFD. PostgreSQL's text and jsonb have no NUL, UTF-8 no lone surrogate.

    Raises SchemaError for what is nested too deeply to be written, and for an id that is none: cut to its bound, two
    could become one.
    """
    for name in _IDS:
        if len(getattr(event, name) or "") > MAX_ID:
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


class Shown:
    """What of unprocessable items is shown beside why they are: those that JSON and PostgreSQL can hold, and no more
    bytes of them than there are `left`. The dead letter has the whole webhook besides."""

    def __init__(self, left: int) -> None:
        self._left = left

    def __call__(self, item: Any) -> Any:
        """The item, as it can be kept, else None."""
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
    """It as JSON, inside of what it is put into; None where it cannot be written: a lone surrogate, too many levels."""
    try:
        return orjson.dumps([[[[[[[item]]]]]]])
    except orjson.JSONEncodeError:
        return None
