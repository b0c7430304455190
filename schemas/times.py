"""Reads times in text, RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339#section-5.6), as aware times in UTC."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
#: An earlier time comes from a clock that was never set: no provider and no service is that old.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def instant(text: str) -> datetime:
    """Read a time, in UTC, to the microsecond. Raises ValueError."""
    plain = text.upper()
    if not _RFC3339.fullmatch(plain):
        raise ValueError("must be a time with its offset (RFC 3339), such as 2025-11-21T03:42:00Z")
    if plain[17:19] == "60":  # a leap second, which `datetime` does not have
        plain = plain[:17] + "59" + plain[19:]
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time that exists, in the years 1 to 9999") from error


def occurred(text: str) -> datetime | None:
    """Read a time as `instant` does; None for one before 2000, which comes from a clock that was never set."""
    at = instant(text)
    return at if at >= _EPOCH else None
