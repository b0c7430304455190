"""Converts the wall clock of a zone to real time. Pure.

A stretch is open from the first instant at which the wall clock reaches its start until the first at which it reaches its
end, that one excluded. With daylight saving:

- a wall time that is skipped counts as the next that exists: a stretch that starts in the gap opens at its end, one that
  ends there closes at its end, and one wholly within it is empty;
- a wall time that occurs twice counts the first time: 01:30 opens, or closes, at the first 01:30, and the time between an
  opening and its closing is one stretch of real time.
"""

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

#: Start and end in minutes since a day's midnight, by the wall clock; an end past 1440 is the next day's.
Span = tuple[int, int]
#: Start and end in UTC.
Stretch = tuple[datetime, datetime]


@lru_cache(maxsize=16384)
def stretches(spans: tuple[Span, ...], zone: ZoneInfo, day: date) -> tuple[Stretch, ...]:
    """Return the stretches of spans that start on a local date, in their order, without those that are empty."""
    found = ((reached(zone, day, start), reached(zone, day, end)) for start, end in spans)
    return tuple((opens, closes) for opens, closes in found if opens < closes)


def reached(zone: ZoneInfo, day: date, minutes: int) -> datetime:
    """Return the first instant (UTC) at which the wall clock shows at least so many minutes after that day's midnight."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if shown(zone, first) == wall:
        return first
    # The wall time is skipped. `first` reads it by the offset before the change, `early` by the offset after it (PEP
    # 495); the change lies between the two instants.
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    seconds = range(int((first - early).total_seconds()))
    after = bisect_left(seconds, wall, key=lambda second: shown(zone, early + timedelta(seconds=second)))
    return early + timedelta(seconds=after)


def shown(zone: ZoneInfo, at: datetime) -> datetime:
    """Return what the wall clock shows at an instant, as a time without a zone."""
    return at.astimezone(zone).replace(tzinfo=None)
