"""Makes events storable in PostgreSQL: repairs values, or gives the reason why an event cannot be stored."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from schemas.events import MAX_ID, MAX_SOURCE, Event
from schemas.handles import MAX_LENGTH
from sql import Row
from sql.parameters import written

#: Most characters of an event's texts. A `source_event_id` may be longer, as those that we make contain a message's id.
_LONGEST: dict[str, int] = {
    "type": 64,
    "channel": 64,
    "direction": 64,
    "source": MAX_SOURCE,
    "source_event_id": 4 * MAX_ID,
    "provider": MAX_SOURCE,
    "provider_message_id": MAX_ID,
    "message_id": MAX_ID,
}
#: An event with shorter JSON cannot exceed any of these lengths.
_SHORT = 255
#: The most bytes of UTF-8 that the client id and the message id may have together, since both are in one entry of an index
#: (`deliveries_order`), which PostgreSQL limits to 2,704 bytes.
_TOGETHER = 2500

#: Times outside this range come from a wrong clock.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

#: Matches a number that PostgreSQL may write out in hundreds of digits; and by how many bytes it may grow.
_HUGE, _DIGITS = re.compile(rb"[eE][+-]?[0-9]{2,3}"), 330
#: JSON of at least this many bytes is searched for such numbers.
_MANY = 4096


class Refused(Exception):
    """A record cannot be processed. The message is the reason; `detail` is JSON that shows where."""

    def __init__(self, reason: str, detail: Any = None) -> None:
        super().__init__(reason)
        self.detail = detail


def storable(row: Row) -> tuple[Row, bytes]:
    """Return the row in a storable form, and its JSON. Raises Refused or Unstorable if there is none."""
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
    """Raise Refused if a text of the event is too long."""
    for name, most in _LONGEST.items():
        if (text := getattr(event, name)) is not None and len(text) > most:
            raise Refused(f"{name} has more than {most} characters")
    if event.handle is not None and len(event.handle.value) > MAX_LENGTH:
        raise Refused(f"its handle has more than {MAX_LENGTH} characters")
    message = event.message_id
    if message is not None and len(message) + len(client) > _TOGETHER // 4:
        if len(f"{client}{message}".encode("utf-8", "replace")) > _TOGETHER:
            raise Refused(f"message_id and client have more than {_TOGETHER} bytes together")


def weight(data: bytes) -> int:
    """Return an upper bound for the bytes of an event's JSON once PostgreSQL has written out its numbers."""
    return len(data) if len(data) < _MANY else len(data) + _DIGITS * len(_HUGE.findall(data))
