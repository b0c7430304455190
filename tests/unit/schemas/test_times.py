"""Times in text, and which of them are taken for times."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import instant, occurred


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-11-21T03:42:00Z", datetime(2025, 11, 21, 3, 42, tzinfo=UTC)),
        ("2025-11-21t03:42:00.5z", datetime(2025, 11, 21, 3, 42, 0, 500000, tzinfo=UTC)),
        ("2025-11-21T03:42:00.123456789+05:30", datetime(2025, 11, 20, 22, 12, 0, 123456, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_to_utc(text: str, at: datetime) -> None:
    """An RFC 3339 time becomes the same time in UTC; a leap second becomes the second before it."""
    assert instant(text) == at
    assert instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2025-11-21",
        "2025-11-21T03:42:00",
        "20251121T034200Z",
        "2025-02-30T03:42:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2025-11-21T03:42:00+24:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """A text that is no time, or one outside of what can be stored, is a ValueError worded for people."""
    with pytest.raises(ValueError, match="must be a time"):
        instant(text)


def test_a_clock_that_was_never_set_tells_no_time() -> None:
    """A time before 2000 is read as no time; one in the future is kept as it is."""
    assert occurred("1970-01-01T00:00:00Z") is None
    assert occurred("1999-12-31T23:59:59Z") is None
    assert occurred("2100-01-01T00:00:00Z") == datetime(2100, 1, 1, tzinfo=UTC)


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.timezones()))
def test_every_time_survives_being_written(at: datetime) -> None:
    """A time written with its offset is read back as the same time."""
    at = at.astimezone(UTC)
    assert instant(at.isoformat()) == at
