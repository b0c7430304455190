"""An event as PostgreSQL can hold it: what it cannot is mended, cut, or the reason why there is no such event."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from schemas.events import Event
from sql import Row
from sql.parameters import written

#: Most characters of an event's own texts. The ids are those of `schemas/definitions.json`; the rest is what no provider
#: comes near. An id that is longer is refused, as half of it is another id.
_LONGEST: dict[str, int] = {
    "type": 64,
    "channel": 64,
    "direction": 64,
    "source": 512,
    "source_event_id": 2048,
    "provider": 512,
    "provider_message_id": 512,
    "message_id": 512,
}
_HANDLE = 4096
#: No event whose JSON is shorter breaks one of these.
_SHORT = 255
#: Bytes of UTF-8 that a client's and a message's id may have together: both stand in one entry of an index
#: (`deliveries_order`), and PostgreSQL takes 2,704 bytes there.
_TOGETHER = 2500

#: Times outside of these are those of a clock that was never set, or of one that is broken.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

#: A number that PostgreSQL writes out in hundreds of digits, and what it may be longer by.
_HUGE, _DIGITS = re.compile(rb"[eE][+-]?[0-9]{2,3}"), 330
#: Bytes of JSON from which such numbers are looked for.
_MANY = 4096


class Refused(Exception):
    """A record that cannot be processed. `str()` of it is the reason, `detail` any JSON that says where."""

    def __init__(self, reason: str, detail: Any = None) -> None:
        super().__init__(reason)
        self.detail = detail


def storable(row: Row) -> tuple[Row, bytes]:
    """The row as PostgreSQL can hold it, and as JSON. Raises Refused or Unstorable where there is no such row."""
    event = row[0]
    at = event.occurred_at
    if at is not None and (at.tzinfo is None or not _EARLIEST <= at <= _LATEST):
        event = replace(event, occurred_at=None)
        row = (event, *row[1:])
    data = written(row)
    if len(data) > _SHORT:
        _check_lengths(event, row[1])
    return row, data


def _check_lengths(event: Event, client: str) -> None:
    """Raise Refused for a text of an event of this client that is too long."""
    for name, most in _LONGEST.items():
        if (text := getattr(event, name)) is not None and len(text) > most:
            raise Refused(f"{name} has more than {most} characters")
    if event.handle is not None and len(event.handle.value) > _HANDLE:
        raise Refused(f"its handle has more than {_HANDLE} characters")
    message = event.message_id
    if message is not None and len(message) + len(client) > _TOGETHER // 4:
        if len(f"{client}{message}".encode("utf-8", "replace")) > _TOGETHER:
            raise Refused(f"message_id and client have more than {_TOGETHER} bytes together")


def weight(data: bytes) -> int:
    """The bytes that an event's JSON has, also once PostgreSQL has written its numbers out."""
    return len(data) if len(data) < _MANY else len(data) + _DIGITS * len(_HUGE.findall(data))
