"""Time windows by example: how they are written, when they open, and how they are described."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sending.windows import DAYS, Windows, is_open, next_open, parse, worded, write
from schemas import SchemaError

LISBON = ZoneInfo("Europe/Lisbon")
SECOND = timedelta(seconds=1)


def at(text: str, zone: ZoneInfo = LISBON) -> datetime:
    """The instant of a wall time; `…+00:00` is one itself."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def test_the_json_of_a_configuration_is_read() -> None:
    """Days, ranges, several a day, over midnight, never, and both kinds of holidays."""
    spec = {
        "mon-fri": ["14:00-20:00", "09:00-12:00"],
        "sat": ["10:00-14:00", "22:00-02:00"],
        "sun": "never",
        "holidays": ["2026-12-25", "01-01", "02-29"],
    }
    weekday, saturday = ((540, 720), (840, 1200)), ((600, 840), (1320, 1560))
    assert parse(spec) == Windows(
        (weekday, weekday, weekday, weekday, weekday, saturday, ()),
        frozenset({date(2026, 12, 25)}),
        frozenset({(1, 1), (2, 29)}),
    )


@pytest.mark.parametrize(
    ("key", "days"),
    [
        ("daily", "mon tue wed thu fri sat sun"),
        ("mon-fri", "mon tue wed thu fri"),
        ("sat-mon", "mon sat sun"),
        ("wed", "wed"),
        ("wed-wed", "wed"),
        ("tue-mon", "mon tue wed thu fri sat sun"),
    ],
)
def test_a_key_names_its_days(key: str, days: str) -> None:
    """A day, a range that may go over Sunday, or every day; the others are closed."""
    assert list(write(parse({key: ["09:00-20:00"]}))) == days.split()


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ("all day", ((0, 1440),)),
        (["00:00-24:00"], ((0, 1440),)),
        ("never", ()),
        ([], ()),
        (["22:00-24:00"], ((1320, 1440),)),
        (["22:00-00:00"], ((1320, 1440),)),
        (["23:59-23:58"], ((1439, 2878),)),
        (["09:00-12:00", "09:00-12:00"], ((540, 720),)),
        (["11:00-15:00", "09:00-12:00"], ((540, 720), (660, 900))),
        (["08:00-20:00", "19:00-09:00"], ((480, 1200), (1140, 1980))),
    ],
)
def test_a_value_is_read(value: Any, spans: Any) -> None:
    """24:00 is an end, windows may overlap and are kept as they are, in order, each once."""
    windows = parse({"mon": value})
    assert windows.days[0] == spans
    assert parse(write(windows)) == windows


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ([], "$.w", "not a list"),
        ({"mon": ["10:00-11:00", "09:00-09:00"]}, "$.w.mon[1]", 'write "all day", or "never"'),
        ({"mon": ["00:00-00:00"]}, "$.w.mon[0]", 'write "all day", or "never"'),
        ({"mon": ["9-20"]}, "$.w.mon[0]", '"09:00-20:00"'),
        ({"mon": ["24:00-02:00"]}, "$.w.mon[0]", "from 00:00 to 24:00"),
        ({"mon": ["22:00-24:01"]}, "$.w.mon[0]", "from 00:00 to 24:00"),
        ({"mon": ["22:60-23:00"]}, "$.w.mon[0]", "from 00:00 to 24:00"),
        ({"mon": ["09:00-20:00\n"]}, "$.w.mon[0]", '"09:00-20:00"'),
        ({"mon": ["٠٩:00-20:00"]}, "$.w.mon[0]", '"09:00-20:00"'),  # digits, but not ASCII's
        ({"mon": [None]}, "$.w.mon[0]", '"09:00-20:00"'),
        ({"mon": "09:00-20:00"}, "$.w.mon", "must be a list"),
        ({"mon": None}, "$.w.mon", '"never"'),
        ({"mon": ["09:00-20:00"] * 25}, "$.w.mon", "at most 24"),
        ({"monday": "all day"}, "$.w.monday", "mon, tue"),
        ({"Mon": "all day"}, "$.w.Mon", "mon, tue"),
        ({"mon-": "all day"}, "$.w.mon-", "mon-fri"),
        ({"-mon": "all day"}, "$.w.-mon", "mon-fri"),
        ({"mon-fri-sun": "all day"}, "$.w.mon-fri-sun", "mon-fri"),
        ({"": "all day"}, "$.w.", "mon-fri"),
        ({"x" * 9999: "all day"}, "$.w." + "x" * 40, "mon-fri"),
        ({"mon-fri": "never", "wed": "all day"}, "$.w.wed", "names Wednesday"),
        ({"daily": "all day", "sat-mon": "never"}, "$.w.sat-mon", "names Saturday"),
        ({"holidays": "never"}, "$.w.holidays", "list of at most 1000 dates"),
        ({"holidays": ["01-01"] * 1001}, "$.w.holidays", "at most 1000"),
        ({"holidays": ["01-01", "2026-02-30"]}, "$.w.holidays[1]", '"2026-12-25"'),
        ({"holidays": ["2026-02-29"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": ["02-30"]}, "$.w.holidays[0]", '"12-25" for that of every year'),
        ({"holidays": ["0000-01-01"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": ["2026-W01-1"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": ["20261225"]}, "$.w.holidays[0]", "must be a date"),
        ({"holidays": [1225]}, "$.w.holidays[0]", "must be a date"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_write(spec: Any, path: str, words: str) -> None:
    """Every fault is a SchemaError below the path given."""
    with pytest.raises(SchemaError) as raised:
        parse(spec, "$.w")
    assert raised.value.path == path
    assert words in raised.value.message


MINUTES = st.integers(0, 1439)
SPANS = st.tuples(MINUTES, MINUTES | st.just(1440)).filter(lambda span: span[0] != span[1])
HOLIDAYS = st.dates().map(date.isoformat) | st.dates().map(lambda day: day.isoformat()[5:])


def clock(minutes: int) -> str:
    """`09:05` of 545."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


@given(
    st.dictionaries(st.sampled_from(DAYS), st.sampled_from(["all day", "never"]) | st.lists(SPANS, max_size=4)),
    st.lists(HOLIDAYS, max_size=4),
)
def test_what_is_written_reads_the_same(days: dict[str, Any], holidays: list[str]) -> None:
    """parse(write(w)) is w, whatever overlaps."""
    spec = {
        day: value if isinstance(value, str) else [f"{clock(start)}-{clock(end)}" for start, end in value]
        for day, value in days.items()
    }
    windows = parse({**spec, "holidays": holidays})
    assert parse(write(windows)) == windows


OPENINGS = [
    ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T08:59", "2026-11-20T09:00"),
    ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T09:00", "2026-11-20T09:00"),
    ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T19:59:59.999999", "2026-11-20T19:59:59.999999"),
    ({"mon-fri": ["09:00-20:00"]}, "2026-11-20T20:00", "2026-11-23T09:00"),
    ({"daily": ["09:00-12:00", "14:00-20:00"]}, "2026-11-20T12:00", "2026-11-20T14:00"),
    ({"daily": ["09:00-12:00", "11:00-20:00"]}, "2026-11-20T12:00", "2026-11-20T12:00"),
    ({"daily": ["09:00-20:00", "10:00-11:00"]}, "2026-11-20T12:00", "2026-11-20T12:00"),
    ({"daily": ["00:00-24:00"]}, "2026-11-20T23:59:59", "2026-11-20T23:59:59"),
    # Over midnight: it is Saturday's, whatever Sunday's are.
    ({"sat": ["22:00-02:00"], "sun": "never"}, "2026-11-22T01:59", "2026-11-22T01:59"),
    ({"sat": ["22:00-02:00"]}, "2026-11-22T02:00", "2026-11-28T22:00"),
    ({"sat": ["22:00-02:00"]}, "2026-11-21T01:00", "2026-11-21T22:00"),
    # A holiday closes what starts on it, neither more nor less.
    ({"daily": "all day", "holidays": ["2026-12-25"]}, "2026-12-25T12:00", "2026-12-26T00:00"),
    ({"daily": "all day", "holidays": ["2026-12-25"]}, "2027-12-25T12:00", "2027-12-25T12:00"),
    ({"daily": ["20:00-04:00"], "holidays": ["12-25"]}, "2027-12-25T03:00", "2027-12-25T03:00"),
    ({"daily": ["20:00-04:00"], "holidays": ["12-25"]}, "2027-12-25T21:00", "2027-12-26T20:00"),
    ({"daily": ["20:00-04:00"], "holidays": ["12-25"]}, "2027-12-26T01:00", "2027-12-26T20:00"),
    ({"daily": "all day", "holidays": ["02-29"]}, "2028-02-29T10:00", "2028-03-01T00:00"),
    ({"daily": "all day", "holidays": ["02-29"]}, "2027-03-01T10:00", "2027-03-01T10:00"),
    # Lisbon, 2026-03-29: the clock goes from 01:00 to 02:00.
    ({"daily": ["01:30-05:00"]}, "2026-03-29T00:59", "2026-03-29T02:00"),
    ({"daily": ["00:30-01:30"]}, "2026-03-29T00:59:59", "2026-03-29T00:59:59"),
    ({"daily": ["00:30-01:30"]}, "2026-03-29T02:00", "2026-03-30T00:30"),
    ({"daily": ["01:10-01:50"]}, "2026-03-29T00:59", "2026-03-30T01:10"),
    ({"daily": ["01:00-02:00"]}, "2026-03-29T00:59", "2026-03-30T01:00"),
    # Lisbon, 2026-10-25: the clock goes from 02:00 back to 01:00, at 01:00 UTC.
    ({"daily": ["01:30-01:45"]}, "2026-10-25T00:00+00:00", "2026-10-25T00:30+00:00"),
    ({"daily": ["01:30-01:45"]}, "2026-10-25T00:45+00:00", "2026-10-26T01:30"),
    ({"daily": ["01:30-01:45"]}, "2026-10-25T01:30+00:00", "2026-10-26T01:30"),
    ({"daily": ["01:30-02:30"]}, "2026-10-25T01:15+00:00", "2026-10-25T01:15+00:00"),
    ({"daily": ["01:30-02:30"]}, "2026-10-25T02:29+00:00", "2026-10-25T02:29+00:00"),
    ({"daily": ["01:30-02:30"]}, "2026-10-25T02:30+00:00", "2026-10-26T01:30"),
]


@pytest.mark.parametrize(("spec", "now", "opens"), OPENINGS)
def test_the_next_opening(spec: dict[str, Any], now: str, opens: str) -> None:
    """Half-open windows of a day, over midnight, on holidays, and where the clock changes."""
    windows = parse(spec)
    found = next_open(windows, LISBON, at(now))
    assert found == at(opens)
    assert found.utcoffset() == timedelta(0)
    assert is_open(windows, LISBON, at(now)) == (now == opens)


def test_a_day_that_a_zone_left_out_has_no_hours() -> None:
    """Samoa had no 2011-12-30: a window within it is empty; one over its midnight opens when the 31st begins."""
    apia = ZoneInfo("Pacific/Apia")
    friday = at("2011-12-29T23:59:59", apia)
    assert next_open(parse({"fri": ["09:00-20:00"]}), apia, friday) == at("2012-01-06T09:00", apia)
    assert next_open(parse({"fri": ["22:00-02:00"]}), apia, friday) == friday + SECOND == at("2011-12-31T00:00", apia)
    assert not is_open(parse({"fri": ["22:00-02:00"]}), apia, at("2011-12-31T02:00", apia))


def test_windows_that_do_not_open_within_400_days_never_do() -> None:
    """None: without windows, with holidays on all of them, and beyond the horizon."""
    now = at("2026-01-01T12:00")
    years = [(date(2026, 1, 1) + timedelta(days=day)).isoformat() for day in range(402)]
    assert next_open(parse({}), LISBON, now) is None
    assert next_open(parse({"daily": "never"}), LISBON, now) is None
    assert next_open(parse({"daily": "all day", "holidays": years}), LISBON, now) is None
    assert next_open(parse({"daily": "all day", "holidays": years[:400]}), LISBON, now) == at("2027-02-05T00:00")
    assert not is_open(parse({}), LISBON, now)


@pytest.mark.parametrize(
    ("spec", "now", "words"),
    [
        (
            {"mon-fri": ["09:00-20:00"]},
            "2026-11-21T21:14",
            "may be sent Monday to Friday 09:00 to 20:00; it is Saturday 21:14 in Europe/Lisbon",
        ),
        (
            {"mon-tue": ["09:00-12:00", "14:00-20:00"], "thu": ["22:00-02:00"], "sat-sun": "all day"},
            "2026-11-20T21:14",
            "may be sent Monday to Tuesday 09:00 to 12:00 and 14:00 to 20:00, Thursday 22:00 to 02:00, "
            "Saturday to Sunday all day; it is Friday 21:14 in Europe/Lisbon",
        ),
        (
            {"daily": ["09:00-24:00"]},
            "2026-11-20T08:00",
            "may be sent every day 09:00 to 24:00; it is Friday 08:00 in Europe/Lisbon",
        ),
        ({}, "2026-11-20T08:00", "may be sent on no day; it is Friday 08:00 in Europe/Lisbon"),
    ],
)
def test_explain_says_why_a_message_waits(spec: dict[str, Any], now: str, words: str) -> None:
    """The windows in words, and the day and hour there."""
    assert worded(parse(spec), LISBON, at(now)) == words


@pytest.mark.parametrize(
    ("spec", "now", "holidays"),
    [
        ({"daily": ["09:00-20:00"]}, "2026-12-25T12:00", "2026-12-25"),
        ({"daily": ["09:00-20:00"]}, "2026-12-25T08:00", "2026-12-25"),
        ({"daily": ["09:00-20:00"]}, "2026-12-24T20:00", "2026-12-25"),
        ({"daily": ["22:00-02:00"]}, "2026-12-26T01:00", "2026-12-25"),
        ({"daily": ["09:00-20:00"]}, "2026-12-31T20:00", "2027-01-01, 2027-01-02, 2027-01-03 and more"),
        ({"daily": ["09:00-20:00"]}, "2026-12-24T08:00", None),
        ({"daily": ["22:00-02:00"]}, "2026-12-26T02:00", None),
        ({"mon-thu": ["09:00-20:00"]}, "2026-12-25T12:00", None),
    ],
)
def test_explain_names_the_holidays_that_a_message_waits_for(
    spec: dict[str, Any], now: str, holidays: str | None
) -> None:
    """Those, and no others, but for which it would have left earlier."""
    all_of_them = ["2026-12-25", "01-01", "01-02", "01-03", "01-04"]
    output = worded(parse({**spec, "holidays": all_of_them}), LISBON, at(now))
    assert output.partition("; closed for the holiday of ")[2] == (holidays or "")
