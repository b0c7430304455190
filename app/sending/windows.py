"""Time windows: the hours at which a channel may be used, by the wall clock of a zone. Pure.

A window belongs to the weekday on which it starts, also one over midnight. It is open from its start until its end, that
one excluded; `wall_clock` says what daylight saving does to both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from app.sending.wall_clock import Span, Stretch, shown, stretches
from schemas import SchemaError
from schemas.faults import Faults
from schemas.json_text import kind_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ALL_DAY, NEVER = "all day", "never"
#: Minutes of a day by the wall clock.
DAY = 24 * 60
#: Days ahead that an opening is looked for: a year with all its holidays, and some more.
HORIZON = 400
#: Most windows of one day, and most holidays.
MOST_WINDOWS, MOST_HOLIDAYS = 24, 1000

_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DATE = re.compile(r"([0-9]{4}-)?([0-9]{2}-[0-9]{2})")
_WHOLE = ((0, DAY),)


@dataclass(frozen=True, slots=True)
class Windows:
    """`days`: for each weekday from Monday the windows that start on it, sorted. They may overlap: it is open where any
    of them is. No window starts on a holiday: a date, or a month and day of every year (`yearly`)."""

    days: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def is_holiday(self, day: date) -> bool:
        """Return whether no window starts on that local date."""
        return day in self.holidays or (day.month, day.day) in self.yearly


def parse(spec: Mapping[str, Any], path: str = "$") -> Windows:
    """Read windows from their JSON: `{"mon-fri": ["09:00-20:00"], "sat": ["22:00-02:00"], "sun": "never", "holidays":
    ["2026-12-25", "01-01"]}`. A key is a day, a range of days (`sat-mon` goes over Sunday) or `daily`; a day that no key
    names is closed. Raises SchemaError with all errors, their paths below `path`: `$.windows.sms.sat[1]`."""
    if not isinstance(spec, Mapping):
        raise SchemaError(path, f'must be an object, as {{"mon-fri": ["09:00-20:00"]}}, not {kind_of(spec)}')
    days, faults = dict[int, tuple[Span, ...]](), Faults()
    for key, value in spec.items():
        if key == "holidays":
            continue
        there = f"{path}.{key[:40]}"
        with faults:
            named = _days(key, there)
            if twice := [NAMES[day] for day in named if day in days]:
                faults.add(there, f"names {twice[0]}, which another key names: name each day once")
            days |= dict.fromkeys(named, ())
            days |= dict.fromkeys(named, _spans(value, there))
    with faults:
        holidays, yearly = _holidays(spec.get("holidays", []), f"{path}.holidays")
    faults.refuse()
    return Windows(tuple(days.get(day, ()) for day in range(7)), holidays, yearly)


def write(windows: Windows) -> dict[str, Any]:
    """Return the JSON that `parse` reads as these windows, each day as a member of its own."""
    days = {
        name: ALL_DAY if spans == _WHOLE else ["-".join(_clock(span)) for span in spans]
        for name, spans in zip(DAYS, windows.days, strict=True)
        if spans
    }
    holidays = [day.isoformat() for day in sorted(windows.holidays)]
    holidays += [f"{month:02}-{day:02}" for month, day in sorted(windows.yearly)]
    return days | ({"holidays": holidays} if holidays else {})


def next_open(windows: Windows, zone: ZoneInfo, at: datetime) -> datetime | None:
    """Return `at` (aware, UTC) if a window is open then, else the next opening (UTC); None if no window starts on the local
    date of `at` or the 400 after it."""
    # In the order of their openings: the first that is not over is the next, also where several overlap.
    for opens, closes in _ahead(windows, zone, at):
        if closes > at:
            return max(opens, at)
    return None


def is_open(windows: Windows, zone: ZoneInfo, at: datetime) -> bool:
    """Return whether a window is open at that instant (aware, UTC)."""
    return next_open(windows, zone, at) == at


def worded(windows: Windows, zone: ZoneInfo, at: datetime) -> str:
    """Return in words why a message waits, to follow the name of a channel: `may be sent Monday to Friday 09:00 to 20:00; it is
    Saturday 21:14 in Europe/Lisbon`, with the holidays that it waits for."""
    there = shown(zone, at)
    words = f"may be sent {_worded_days(windows)}; it is {NAMES[there.weekday()]} {there:%H:%M} in {zone.key}"
    if closed := _holidays_between(windows, zone, at):
        more = " and more" if len(closed) > 3 else ""
        return f"{words}; closed for the holiday of {', '.join(day.isoformat() for day in closed[:3])}{more}"
    return words


def _ahead(windows: Windows, zone: ZoneInfo, at: datetime) -> Iterator[Stretch]:
    """Yield the stretches from those of yesterday, which may go over midnight, to the horizon."""
    today = at.astimezone(zone).date()
    for ahead in range(-1, HORIZON + 1):
        day = today + timedelta(days=ahead)
        if (spans := windows.days[day.weekday()]) and not windows.is_holiday(day):
            yield from stretches(spans, zone, day)


def _holidays_between(windows: Windows, zone: ZoneInfo, at: datetime) -> list[date]:
    """Return the holidays without which a window would open earlier."""
    until = next_open(windows, zone, at)
    day, last = shown(zone, at).date() - timedelta(days=1), shown(zone, until or at).date()
    found = []
    while day <= last:
        if windows.is_holiday(day) and any(
            closes > at and (until is None or opens < until)
            for opens, closes in stretches(windows.days[day.weekday()], zone, day)
        ):
            found.append(day)
        day += timedelta(days=1)
    return found


def _days(key: str, path: str) -> list[int]:
    first, dash, last = key.partition("-")
    if key == "daily":
        return list(range(7))
    if first not in DAYS or (dash and last not in DAYS):
        raise SchemaError(path, f'is no day: write {", ".join(DAYS)}, a range as "mon-fri", "daily", or "holidays"')
    start = DAYS.index(first)
    count = (DAYS.index(last) - start) % 7 + 1 if dash else 1
    return [(start + day) % 7 for day in range(count)]


def _spans(value: Any, path: str) -> tuple[Span, ...]:
    if value in (ALL_DAY, NEVER):
        return _WHOLE if value == ALL_DAY else ()
    if not isinstance(value, list) or len(value) > MOST_WINDOWS:
        most = f"a list of at most {MOST_WINDOWS} windows"
        raise SchemaError(path, f'must be {most}, as ["09:00-20:00"], or "{ALL_DAY}", or "{NEVER}"')
    spans, faults = set[Span](), Faults()
    for place, text in enumerate(value):
        with faults:
            spans.add(_span(text, f"{path}[{place}]"))
    faults.refuse()
    return tuple(sorted(spans))


def _span(text: Any, path: str) -> Span:
    if not isinstance(text, str) or (match := _WINDOW.fullmatch(text)) is None:
        wanted = 'must be a window as "09:00-20:00", from 00:00 to 24:00; "22:00-02:00" goes over midnight'
        raise SchemaError(path, wanted)
    start = int(match[1]) * 60 + int(match[2])
    end = DAY if match[3] is None else int(match[3]) * 60 + int(match[4])
    if start == end:
        raise SchemaError(path, f'ends when it starts: in place of the list write "{ALL_DAY}", or "{NEVER}"')
    return start, end if end > start else end + DAY


def _holidays(value: Any, path: str) -> tuple[frozenset[date], frozenset[tuple[int, int]]]:
    if not isinstance(value, list) or len(value) > MOST_HOLIDAYS:
        raise SchemaError(path, f'must be a list of at most {MOST_HOLIDAYS} dates, as ["2026-12-25", "01-01"]')
    dates, yearly, faults = set[date](), set[tuple[int, int]](), Faults()
    for place, text in enumerate(value):
        match = _DATE.fullmatch(text) if isinstance(text, str) else None
        try:
            day = date.fromisoformat((match[1] or "2024-") + match[2]) if match else None  # 2024 has a 29 February
        except ValueError:
            day = None
        if match is None or day is None:
            faults.add(f"{path}[{place}]", 'must be a date, as "2026-12-25", or "12-25" for that of every year')
        elif match[1]:
            dates.add(day)
        else:
            yearly.add((day.month, day.day))
    faults.refuse()
    return frozenset(dates), frozenset(yearly)


def _worded_days(windows: Windows) -> str:
    """Return the windows in words: `Monday to Friday 09:00 to 20:00, Saturday all day`."""
    runs = [(spans, [day for day, _ in run]) for spans, run in groupby(enumerate(windows.days), key=lambda one: one[1])]
    named = (
        ("every day" if len(days) == 7 else " to ".join(NAMES[day] for day in sorted({days[0], days[-1]})), spans)
        for spans, days in runs
        if spans
    )
    return ", ".join(f"{days} {_worded_spans(spans)}" for days, spans in named) or "on no day"


def _worded_spans(spans: tuple[Span, ...]) -> str:
    return ALL_DAY if spans == _WHOLE else " and ".join(" to ".join(_clock(span)) for span in spans)


def _clock(span: Span) -> tuple[str, str]:
    start, end = span[0], span[1] if span[1] <= DAY else span[1] - DAY
    return f"{start // 60:02}:{start % 60:02}", f"{end // 60:02}:{end % 60:02}"
