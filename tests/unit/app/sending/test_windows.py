"""Time windows by example, and against an oracle that goes minute by minute and knows no intervals."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sending.windows import DAY, DAYS, Windows, is_open, next_open, parse, worded, write
from app.sending.zones import zone_names
from schemas import SchemaError

MINUTE = timedelta(minutes=1)
LISBON = ZoneInfo("Europe/Lisbon")


def at(text: str, zone: ZoneInfo = LISBON) -> datetime:
    """The instant of a wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("spec", "now", "opens"),
    [
        ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T08:59", "2026-11-20T09:00"),
        ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T09:00", "2026-11-20T09:00"),
        ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T20:00", "2026-11-23T09:00"),
        ({"sat": ["22:00-02:00"]}, "2026-11-22T01:59", "2026-11-22T01:59"),
        ({"sat": ["22:00-02:00"]}, "2026-11-22T02:00", "2026-11-28T22:00"),
        ({"daily": "all day", "holidays": ["2026-12-25"]}, "2026-12-25T12:00", "2026-12-26T00:00"),
        ({"daily": ["20:00-04:00"], "holidays": ["12-25"]}, "2026-12-25T03:00", "2026-12-25T03:00"),
        ({"daily": ["20:00-04:00"], "holidays": ["12-25"]}, "2026-12-25T21:00", "2026-12-26T20:00"),
        ({"daily": "all day", "holidays": ["02-29"]}, "2028-02-29T10:00", "2028-03-01T00:00"),
        ({"sat-mon": ["10:00-24:00"]}, "2026-11-24T09:00", "2026-11-28T10:00"),
        # Lisbon: 01:00 to 02:00 is left out on 2026-03-29, and comes twice on 2026-10-25.
        ({"daily": ["01:30-05:00"]}, "2026-03-29T00:30", "2026-03-29T02:00"),
        ({"daily": ["01:10-01:50"]}, "2026-03-29T00:30", "2026-03-30T01:10"),
        ({"daily": ["01:30-01:45"]}, "2026-10-25T00:30", "2026-10-25T01:30"),
    ],
)
def test_the_next_opening(spec: dict[str, Any], now: str, opens: str) -> None:
    """Days, midnight, holidays, leap days, gaps and folds."""
    assert next_open(parse(spec), LISBON, at(now)) == at(opens)


def test_a_wall_time_that_comes_twice_counts_once() -> None:
    """A window open over the repeated hour is one stretch; one that ended before does not open again."""
    spec, first = parse({"daily": ["00:30-01:45"]}), at("2026-10-25T01:30")
    assert is_open(spec, LISBON, first)
    assert not is_open(spec, LISBON, first + timedelta(hours=1))
    long = parse({"daily": ["00:30-03:00"]})
    assert all(is_open(long, LISBON, first + timedelta(minutes=minute)) for minute in range(0, 120))


def test_never_is_none() -> None:
    """Windows that never open say so."""
    assert next_open(parse({}), LISBON, at("2026-11-20T08:59")) is None
    assert next_open(parse({"daily": "never"}), LISBON, at("2026-11-20T08:59")) is None


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"mon": ["09:00-09:00"]}, "$.w.mon[0]", 'write "all day", or "never"'),
        ({"mon": ["9-20"]}, "$.w.mon[0]", "from 00:00 to 24:00"),
        ({"mon": ["24:00-02:00"]}, "$.w.mon[0]", "from 00:00 to 24:00"),
        ({"mon": 5}, "$.w.mon", "must be a list"),
        ({"monday": ["09:00-10:00"]}, "$.w.monday", "is no day"),
        ({"mon-": ["09:00-10:00"]}, "$.w.mon-", "is no day"),
        ({"mon-fri": "never", "tue": "all day"}, "$.w.tue", "names Tuesday, which another key names"),
        ({"holidays": ["2026-02-30"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": ["02-30"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": "never"}, "$.w.holidays", "dates, as"),
        ([], "$.w", "must be an object"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(spec: Any, path: str, words: str) -> None:
    """The operator is told what to write instead."""
    with pytest.raises(SchemaError) as error:
        parse(spec, "$.w")
    assert error.value.path == path and words in error.value.message


def test_words_for_who_asks() -> None:
    """Which windows, and what time it is there."""
    spec = parse({"mon-fri": ["09:00-12:00", "14:00-20:00"], "sat": "all day", "holidays": ["11-22"]})
    assert worded(spec, LISBON, at("2026-11-22T21:14")) == (
        "may be sent Monday to Friday 09:00 to 12:00 and 14:00 to 20:00, Saturday all day; "
        "it is Sunday 21:14 in Europe/Lisbon"
    )


SPAN = st.tuples(st.integers(0, 95), st.integers(1, 96)).filter(lambda span: span[0] != span[1])
SPECS = st.dictionaries(st.sampled_from(DAYS), st.lists(SPAN, min_size=1, max_size=3), min_size=1)


def spec_of(days: Mapping[str, list[tuple[int, int]]], holidays: list[str]) -> dict[str, Any]:
    """The JSON of windows at quarters of an hour."""
    clock = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in range(97)]
    return {day: [f"{clock[a]}-{clock[b]}" for a, b in spans] for day, spans in days.items()} | {"holidays": holidays}


@given(SPECS, st.lists(st.sampled_from(["2026-12-25", "01-01", "02-29"]), unique=True))
def test_what_is_written_reads_the_same(days: dict[str, list[tuple[int, int]]], holidays: list[str]) -> None:
    """parse(write(w)) is w."""
    windows = parse(spec_of(days, holidays))
    assert parse(write(windows)) == windows


def oracle(spec: Mapping[str, Any], zone: ZoneInfo, start: datetime, minutes: int) -> Iterator[bool]:
    """Whether a window is open, minute by minute, by definition: its start was reached by the wall clock and its end was
    not. What the wall clock has reached is the latest that it has shown; it begins two days before."""
    shown = datetime.min
    for minute in range(-2 * DAY, minutes):
        wall = (start + minute * MINUTE).astimezone(zone).replace(tzinfo=None)
        shown = max(shown, wall)
        if minute >= 0:
            yield any(begin <= shown < end for begin, end in _walls(spec, shown.date()))


def _walls(spec: Mapping[str, Any], around: date) -> Iterator[tuple[datetime, datetime]]:
    """The windows that start on the days around, as wall times: read from the JSON anew."""
    for day in (around - timedelta(days=1), around):
        if day.isoformat() in spec["holidays"] or day.isoformat()[5:] in spec["holidays"]:
            continue
        midnight = datetime(day.year, day.month, day.day)
        for text in spec.get(DAYS[day.weekday()], ()):
            a, b = ((int(clock[:2]) * 60 + int(clock[3:])) for clock in text.split("-"))
            yield midnight + a * MINUTE, midnight + (b if b > a else b + DAY) * MINUTE


def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The hours of a year in which the zone's offset changes."""
    found, hour = [], datetime(year, 1, 1, tzinfo=UTC)
    for _ in range(366):
        following = hour + timedelta(days=1)
        if hour.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            found.append(hour)
        hour = following
    return found


CHANGING = sorted(name for name in zone_names() if changes(ZoneInfo(name), 2026))
ODD = [("Pacific/Apia", 2011), ("Asia/Tehran", 2021), ("Antarctica/Troll", 2028), ("Africa/Casablanca", 2024)]
CASES = [*((name, 2026) for name in CHANGING), *ODD, ("Asia/Kolkata", 2024)]


@settings(max_examples=1)
@given(SPECS, SPECS, st.sampled_from([[], ["03-29", "10-25"], ["02-29", "2011-12-31"]]))
@pytest.mark.parametrize(("name", "year"), CASES)
def test_windows_are_those_of_the_oracle(
    name: str,
    year: int,
    days: dict[str, list[tuple[int, int]]],
    more: dict[str, list[tuple[int, int]]],
    holidays: list[str],
) -> None:
    """Around each change of each zone's clock, and over a leap day."""
    zone = ZoneInfo(name)
    # Two weeks' worth of chance in one go: every day has windows, those of the night of the change among them.
    spec = spec_of({day: [(2, 9), (88, 5)] for day in DAYS} | more | days, holidays)
    check(spec, parse(spec), zone, changes(zone, year) or [datetime(year, 2, 29, tzinfo=UTC)])


def check(spec: Mapping[str, Any], windows: Windows, zone: ZoneInfo, moments: list[datetime]) -> None:
    """Compare in the day around each moment, every five minutes: windows begin and end at quarters of an hour."""
    for moment in moments:
        start, span = moment - timedelta(hours=4), 30 * 60
        expected = list(oracle(spec, zone, start, span))
        opening = span
        for minute in reversed(range(span)):
            opening = minute if expected[minute] else opening
            if minute % 5 == 0:
                now = start + minute * MINUTE
                assert is_open(windows, zone, now) == expected[minute], (zone.key, now, spec)
                if opening < span:
                    assert next_open(windows, zone, now) == start + opening * MINUTE


def naive(windows: Windows, zone: ZoneInfo, now: datetime) -> bool:
    """What one would write at first: the wall clock's time of day, compared with the day's windows."""
    wall = now.astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    return any(a <= minute < b for a, b in windows.days[wall.weekday()]) or any(
        a <= minute + DAY < b for a, b in windows.days[(wall.weekday() - 1) % 7]
    )


def test_the_oracle_can_tell() -> None:
    """The naive reading fails it where the clock goes back."""
    spec = {"sun": ["00:30-01:45"], "holidays": []}
    start = datetime(2026, 10, 25, tzinfo=UTC)
    expected = list(oracle(spec, LISBON, start, 180))
    said = [naive(parse(spec), LISBON, start + minute * MINUTE) for minute in range(180)]
    assert said != expected
    assert [is_open(parse(spec), LISBON, start + minute * MINUTE) for minute in range(180)] == expected
