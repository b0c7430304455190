"""Reads providers' times, in UTC and with their precision; None for a missing or implausible one."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

#: A provider's clock before this is a default (epoch 0) or a broken clock, not a time.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_EARLIEST_UNIX = EARLIEST.timestamp()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Of the year 9999, where datetime ends.
_LATEST_UNIX = 253402300799
#: More than this is milliseconds: as seconds it is the year 5138.
_MILLISECONDS = 100_000_000_000


def from_unix(value: Any) -> datetime | None:
    """Read Unix seconds, given as a number (with fractions down to microseconds) or its digits."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()) or len(value) > 12:
            return None
        value = int(value)
    elif not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    if not _EARLIEST_UNIX <= value <= _LATEST_UNIX:
        return None
    if isinstance(value, float):
        return _EPOCH + timedelta(microseconds=round(value * 1_000_000))
    return datetime.fromtimestamp(value, UTC)


def from_unix_or_millis(value: Any) -> datetime | None:
    """Read Unix seconds or milliseconds, distinguished by size, given as a number or its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, (int, float)) and _MILLISECONDS < value < _MILLISECONDS * 10_000:
        value = value / 1000
    return from_unix(value)


def from_text(value: Any) -> datetime | None:
    """Read ISO 8601 or RFC 2822. A time without an offset is read as UTC, which providers mean that leave it out."""
    if not isinstance(value, str) or not 10 <= len(value) <= 64:
        return None
    try:
        time = datetime.fromisoformat(value) if value[0].isdigit() and value[4] == "-" else parsedate_to_datetime(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
    return time if time >= EARLIEST else None
