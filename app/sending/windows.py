"""Time windows: when a channel may be used, by the recipient's wall clock. Pure.

Windows of a weekday belong to the day on which they start, also those over midnight. A window is open from the first
instant at which the wall clock reaches its start until the first at which it reaches its end, that one excluded: so a wall
time that daylight saving leaves out is reached at the next that there is (a window wholly within such a gap is empty), and
one that comes twice counts once, and what lies between is one stretch of real time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from schemas import SchemaError
from schemas.json_text import kind_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: How far ahead an opening is looked for; a year with all its holidays, and some more.
HORIZON = 400
DAY = 24 * 60
ALL_DAY, NEVER = "all day", "never"
_MOST = 24
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_YEARLY = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Windows:
    """Per weekday from Monday, spans in minutes from its midnight, by their starts; they may overlap. An end past 1440 is
    of the next day. On a holiday no span starts: a date, or a month and a day of every year."""

    days: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()


def parse(spec: Mapping[str, Any], path: str = "$") -> Windows:
    """Windows from their JSON: `{"mon-fri": ["09:00-20:00"], "sat": ["22:00-02:00"], "sun": "never", "holidays":
    ["2026-12-25", "01-01"]}`. A day that is not named is closed. Raises
    SchemaError, with the path below `path`."""
    if not isinstance(spec, Mapping):
        raise SchemaError(path, f'must be an object, as {{"mon-fri": ["09:00-20:00"]}}, not {kind_of(spec)}')
    days: dict[int, tuple[Span, ...]] = {}
    for key, value in spec.items():
        if key == "holidays":
            continue
        spans = _spans(value, f"{path}.{key}")
        for day in _days(key, f"{path}.{key}"):
            if day in days:
                raise SchemaError(f"{path}.{key}", f"{NAMES[day]} has its windows already: name each day once")
            days[day] = spans
    dates, yearly = _holidays(spec.get("holidays", ()), f"{path}.holidays")
    return Windows(tuple(days.get(day, ()) for day in range(7)), frozenset(dates), frozenset(yearly))


def write(windows: Windows) -> dict[str, Any]:
    """The JSON that `parse` reads."""
    found: dict[str, Any] = {
        name: ALL_DAY if spans == ((0, DAY),) else [_span(span) for span in spans]
        for name, spans in zip(DAYS, windows.days, strict=True)
        if spans
    }
    holidays = [one.isoformat() for one in sorted(windows.holidays)]
    holidays += [f"{month:02}-{day:02}" for month, day in sorted(windows.yearly)]
    return found | ({"holidays": holidays} if holidays else {})


def next_open(windows: Windows, zone: ZoneInfo, at: datetime) -> datetime | None:
    """`at` (aware) itself where a window is open then, else the instant at which the next one opens, in UTC; None where
    none does in the next 400 days."""
    if not any(windows.days):
        return None
    # Two days before: a window over midnight, and a zone that skipped a day as it changed its side of the date line.
    first = at.astimezone(zone).date() - timedelta(days=2)
    for ahead in range(HORIZON + 3):
        for opens, closes in _open_on(windows, zone, first + timedelta(days=ahead)):
            if closes > at:
                return max(opens, at)
    return None


def is_open(windows: Windows, zone: ZoneInfo, at: datetime) -> bool:
    """Whether a window is open at that instant (aware)."""
    return next_open(windows, zone, at) == at


def worded(windows: Windows, zone: ZoneInfo, at: datetime) -> str:
    """Why a message waits, to a person: `may be sent Mon to Fri 09:00-20:00; it is Saturday 21:14 in Europe/Lisbon`."""
    there = at.astimezone(zone)
    return (
        f"may be sent {_worded_days(windows)}; it is {NAMES[there.weekday()]} {there:%H:%M} in {zone.key}"
        f"{', a holiday' if _is_holiday(windows, there.date()) else ''}"
    )


@lru_cache(maxsize=65536)
def _open_on(windows: Windows, zone: ZoneInfo, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches of real time of the windows that start on a local date."""
    if _is_holiday(windows, day):
        return ()
    spans = ((_reached(zone, day, start), _reached(zone, day, end)) for start, end in windows.days[day.weekday()])
    return tuple((opens, closes) for opens, closes in spans if opens < closes)


def _is_holiday(windows: Windows, day: date) -> bool:
    return day in windows.holidays or (day.month, day.day) in windows.yearly


def _reached(zone: ZoneInfo, day: date, minutes: int) -> datetime:
    """The first instant at which the wall clock shows that time of that day or a later one, in UTC."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # In a gap: between its reading with the offset after (too early) and with that before (too late) lies the change.
    early, late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).replace(tzinfo=None) >= wall:
            late = middle
        else:
            early = middle
    return late.replace(microsecond=0)


def _spans(value: Any, path: str) -> tuple[Span, ...]:
    if value == ALL_DAY:
        return ((0, DAY),)
    if value == NEVER:
        return ()
    if not isinstance(value, list) or len(value) > _MOST:
        raise SchemaError(
            path, f'must be a list of at most {_MOST} windows, as ["09:00-20:00"], or "{ALL_DAY}", or "{NEVER}"'
        )
    return tuple(sorted({_read(text, f"{path}[{place}]") for place, text in enumerate(value)}))


def _read(text: Any, path: str) -> Span:
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise SchemaError(
            path, 'must be a window like "09:00-20:00", by the 24-hour clock; "22:00-02:00" is over midnight'
        )
    start = int(match[1]) * 60 + int(match[2])
    end = DAY if match[5] else int(match[3]) * 60 + int(match[4])
    if start == end:
        raise SchemaError(
            path, f'starts when it ends: for the whole day write "{ALL_DAY}", for no time of it "{NEVER}"'
        )
    return (start, end if end > start else end + DAY)


def _days(key: str, path: str) -> list[int]:
    if key == "daily":
        return list(range(7))
    first, _, last = key.partition("-")
    if first not in DAYS or (last or first) not in DAYS or key.endswith("-"):
        raise SchemaError(path, f'is no day: write {", ".join(DAYS)}, a range as "mon-fri", "daily", or "holidays"')
    start, end = DAYS.index(first), DAYS.index(last or first)
    return [(start + day) % 7 for day in range((end - start) % 7 + 1)]


def _holidays(value: Any, path: str) -> tuple[set[date], set[tuple[int, int]]]:
    if not isinstance(value, list | tuple) or len(value) > 1000:
        raise SchemaError(path, 'must be a list of dates, as ["2026-12-25", "01-01"]')
    dates, yearly = set[date](), set[tuple[int, int]]()
    for place, text in enumerate(value):
        match = _YEARLY.fullmatch(text) if isinstance(text, str) else None
        try:
            if match:
                date(2024, int(match[1]), int(match[2]))  # a leap year: 02-29 is a day of some years
                yearly.add((int(match[1]), int(match[2])))
            else:
                dates.add(datetime.strptime(text, "%Y-%m-%d").date())  # a date of the wall clock
        except (ValueError, TypeError) as error:
            raise SchemaError(
                f"{path}[{place}]", 'is no date: write "2026-12-25", or "12-25" for every year'
            ) from error
    return dates, yearly


def _span(span: Span) -> str:
    start, end = span
    end = end if end <= DAY else end - DAY
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def _worded_days(windows: Windows) -> str:
    told: list[tuple[int, int, tuple[Span, ...]]] = []
    for day, spans in enumerate(windows.days):
        if told and told[-1][2] == spans:
            told[-1] = (told[-1][0], day, spans)
        else:
            told.append((day, day, spans))
    return ", ".join(
        f"{NAMES[first]}{f' to {NAMES[last]}' if last > first else ''} "
        + (ALL_DAY if spans == ((0, DAY),) else " and ".join(map(_span, spans)))
        for first, last, spans in told
        if spans
    )
