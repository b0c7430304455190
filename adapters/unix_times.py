"""Unix times of providers that write seconds in one place and milliseconds in another."""

from datetime import datetime
from typing import Any

from adapters.times import from_unix

#: More than this is milliseconds: as seconds it is the year 5138.
_LATEST_SECONDS = 100_000_000_000


def from_unix_or_millis(stamp: Any) -> datetime | None:
    """Unix seconds or milliseconds, as a number or its digits."""
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdigit() and len(stamp) <= 15:
        stamp = int(stamp)
    if type(stamp) is int and _LATEST_SECONDS < stamp < _LATEST_SECONDS * 10_000:
        stamp = stamp / 1000
    return from_unix(stamp)
