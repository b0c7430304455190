"""Time windows against an oracle, in every zone whose clock changes, around the change.

The oracle goes through real time minute by minute and looks at the wall clock; it knows no intervals and does not read
what `parse` made. That it finds faults is tested too: two ways in which one would write windows at first are caught by
it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sending.windows import DAYS, Windows, is_open, next_open, parse
from app.sending.zones import zone_names

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Spec = dict[str, Any]
IsOpen = Callable[[Windows, ZoneInfo, datetime], bool]


def oracle(spec: Spec, zone: ZoneInfo, start: datetime, minutes: int) -> Iterator[bool]:
    """Whether it is open, for each minute from `start`, by definition: of some window the wall clock has shown the
    start, or more, and has not yet shown the end. What it has shown is known from the latest that it has shown. It must
    not have been set back in the day before `start`."""
    latest = datetime.min
    near = cache(lambda day: [*walls_of(spec, day - DAY), *walls_of(spec, day)])
    for minute in range(minutes):
        latest = max(latest, (start + minute * MINUTE).astimezone(zone).replace(tzinfo=None))
        yield any([opens <= latest < closes for opens, closes in near(latest.date())])


def walls_of(spec: Spec, day: date) -> Iterator[tuple[datetime, datetime]]:
    """The wall times of the windows that start on a date, read from the JSON."""
    value = spec.get(DAYS[day.weekday()], "never")
    if value == "never" or {day.isoformat(), day.isoformat()[5:]} & set(spec["holidays"]):
        return
    midnight = datetime(day.year, day.month, day.day)
    for text in ["00:00-24:00"] if value == "all day" else value:
        opens, closes = (midnight + (int(one[:2]) * 60 + int(one[3:])) * MINUTE for one in text.split("-"))
        yield opens, closes if closes > opens else closes + DAY


def changes(name: str, year: int) -> list[datetime]:
    """The minutes of a year at which a zone's offset from UTC changes."""
    return list(_changes(name, year))


@cache
def _changes(name: str, year: int) -> tuple[datetime, ...]:
    zone, first, found = ZoneInfo(name), datetime(year, 1, 1, tzinfo=UTC), []
    offsets = [(first + day * DAY).astimezone(zone).utcoffset() for day in range(367)]
    for day in range(366):
        if offsets[day] != offsets[day + 1]:
            minutes = ((first + day * DAY) + minute * MINUTE for minute in range(1, 1441))
            found.append(next(one for one in minutes if one.astimezone(zone).utcoffset() != offsets[day]))
    return tuple(found)


def disagreements(spec: Spec, zone: ZoneInfo, start: datetime, minutes: int, ask: IsOpen = is_open) -> list[datetime]:
    """Where `ask` says other than the oracle: looked at every 17 minutes, and on both sides of all that changes. Where
    it asks ours, also where `next_open` gives other than the first minute at which the oracle says that it is open."""
    truth, windows = list(oracle(spec, zone, start, minutes)), parse(spec)
    edges = {minute for minute in range(1, minutes) if truth[minute] != truth[minute - 1]}
    found: list[datetime] = []
    for minute in sorted(edges | {minute - 1 for minute in edges} | set(range(0, minutes, 17))):
        at = start + minute * MINUTE
        if ask(windows, zone, at) != truth[minute]:
            found.append(at)
        elif ask is is_open and not truth[minute]:
            opens, output = min((edge for edge in edges if edge > minute), default=None), next_open(windows, zone, at)
            beyond = output is None or output >= start + minutes * MINUTE
            if not beyond if opens is None else output != start + opens * MINUTE:
                found.append(at)
    return found


def clock(minutes: int) -> str:
    """`09:05` of 545."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def specs(draw: st.DrawFn, zone: ZoneInfo, change: datetime) -> Spec:
    """Windows of the days around a change, many of which begin and end near it, some on holidays."""
    before, after = (one.astimezone(zone) for one in (change - MINUTE, change))
    near = sorted(
        {(one.hour * 60 + one.minute + shift) % 1440 for one in (before, after) for shift in (-30, -1, 0, 1, 15, 45)}
    )
    edges = st.sampled_from(near) | st.integers(0, 1439)
    windows = st.tuples(edges, edges | st.just(1440)).filter(lambda span: span[0] != span[1])
    texts = windows.map(lambda span: f"{clock(span[0])}-{clock(span[1])}")
    values = st.lists(texts, min_size=1, max_size=3) | st.sampled_from(["all day", "never"])
    spec: Spec = {DAYS[(before.weekday() + day) % 7]: draw(values) for day in (-1, 0, 1, 2)}
    dates = [(before + day * DAY).date().isoformat() for day in (-1, 0, 1)]
    spec["holidays"] = draw(st.lists(st.sampled_from([*dates, *(one[5:] for one in dates), "02-29"]), max_size=2))
    return spec


CHANGING = [(name, 2026) for name in sorted(zone_names()) if changes(name, 2026)]
#: Half an hour (Lord Howe), two hours (Troll), Ramadan (Casablanca), a minute past midnight (St John's), past rules, days
#: left out (Apia, Fakaofo, Kiritimati, Kwajalein) and one had twice (Kwajalein, 1969), odd steps.
ODD = [
    ("Australia/Lord_Howe", 2026), ("Antarctica/Troll", 2026), ("Africa/Casablanca", 2026), ("America/St_Johns", 2010),
    ("Asia/Tehran", 2021), ("Pacific/Apia", 2011), ("Pacific/Fakaofo", 2011), ("Pacific/Kiritimati", 1994),
    ("Pacific/Kwajalein", 1993), ("Pacific/Kwajalein", 1969), ("Asia/Pyongyang", 2018), ("America/Caracas", 2016),
    ("Asia/Kathmandu", 1985), ("Antarctica/Casey", 2018), ("Asia/Amman", 2022), ("America/Sao_Paulo", 2018),
]  # fmt: skip


@pytest.mark.parametrize(("name", "year"), sorted({*CHANGING, *ODD}))
@settings(max_examples=3)
@given(data=st.data())
def test_windows_open_and_close_as_the_oracle_says(name: str, year: int, data: st.DataObject) -> None:
    """Around the changes of every zone's clock in the year, and in a year drawn."""
    zone = ZoneInfo(name)
    other = data.draw(st.just(year) | st.integers(1973, 2037))
    change = data.draw(st.sampled_from(changes(name, other) or changes(name, year)))
    spec = data.draw(specs(zone, change))
    assert disagreements(spec, zone, change - 4 * 60 * MINUTE, 30 * 60) == []


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Chatham"])
@pytest.mark.parametrize("year", [2024, 2027, 2028])
@settings(max_examples=3)
@given(data=st.data())
def test_leap_days_are_days(year: int, name: str, data: st.DataObject) -> None:
    """From 28 February to 1 March, with a leap day between and without, a holiday or not."""
    zone = ZoneInfo(name)
    midnight = datetime(year, 3, 1, tzinfo=zone).astimezone(UTC)
    spec = data.draw(specs(zone, midnight))
    assert disagreements(spec, zone, midnight - 30 * 60 * MINUTE, 60 * 60) == []


def by_the_time_of_day(windows: Windows, zone: ZoneInfo, at: datetime) -> bool:
    """Naive: the wall clock's time of day within the day's windows. A repeated hour opens twice."""
    wall = at.astimezone(zone)
    minute, today = wall.hour * 60 + wall.minute, wall.weekday()
    started = [(span, 0) for span in windows.days[today]] + [(span, 1440) for span in windows.days[today - 1]]
    return any(opens <= minute + since < closes for (opens, closes), since in started)


def by_wall_arithmetic(windows: Windows, zone: ZoneInfo, at: datetime) -> bool:
    """Naive: midnight and some minutes, by Python's arithmetic on aware times, `fold` ignored. A time in the gap opens
    late by the time that it is in the gap, and closes so."""
    today = at.astimezone(zone).date()
    for day in (today - DAY, today):
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for opens, closes in windows.days[day.weekday()]:
            if (midnight + opens * MINUTE).astimezone(UTC) <= at < (midnight + closes * MINUTE).astimezone(UTC):
                return True
    return False


@pytest.mark.parametrize(
    ("naive", "day", "window"),
    [
        (by_the_time_of_day, "2026-10-25", "01:20-01:40"),
        (by_the_time_of_day, "2026-10-25", "00:30-01:40"),
        (by_wall_arithmetic, "2026-03-29", "01:20-05:00"),
        (by_wall_arithmetic, "2026-03-29", "00:30-01:40"),
        (by_wall_arithmetic, "2026-03-29", "01:20-01:40"),
    ],
)
def test_the_oracle_catches_the_naive(naive: IsOpen, day: str, window: str) -> None:
    """Both naive ways disagree with it where the clock changes, though not on another day; ours never does."""
    zone, spec = ZoneInfo("Europe/Lisbon"), {"sun": [window], "holidays": []}
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert disagreements(spec, zone, start, 1440, naive) != []
    assert disagreements(spec, zone, start + 7 * DAY, 1440, naive) == []
    assert disagreements(spec, zone, start, 1440) == []


def test_the_oracle_runs_over_every_zone_that_changes() -> None:
    """The list is not empty for want of a database, and the odd ones change in their years."""
    assert len(CHANGING) > 100
    assert all(changes(name, year) for name, year in ODD)
