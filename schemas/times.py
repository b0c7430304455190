"""Times in text, RFC 3339 (https://www.rfc-editor.org/rfc/rfc3339#section-5.6), to aware times in UTC."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
#: No provider and no service of today is older: an earlier time is that of a clock that was never set.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def instant(text: str) -> datetime:
    """The time that `text` says, in UTC, to the microsecond. Raises ValueError where it is none."""
    plain = text.upper()
    if not _RFC3339.fullmatch(plain):
        raise ValueError("must be a time with its offset (RFC 3339), as 2025-11-21T03:42:00Z")
    if plain[17:19] == "60":  # a leap second, which Python's clock has not
        plain = plain[:17] + "59" + plain[19:]
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time that there is, in the years 1 to 9999") from error


def occurred(text: str) -> datetime | None:
    """As `instant`, and None for a time before 2000, which is no time but a clock that was never set."""
    at = instant(text)
    return at if at >= _EPOCH else None
