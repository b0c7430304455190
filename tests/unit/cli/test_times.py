"""Times and ages as options give them: before now, and after it."""

from datetime import UTC, datetime, timedelta

import pytest

from app.cli import main
from app.cli.support.terminal import MISUSED
from app.cli.support.times import SINCE, time_ahead, time_given

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        (" 2h ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("2026-11-30T11:00:00Z", timedelta(hours=1)),
        ("2026-11-30T11:00:00", timedelta(hours=1)),
        ("2026-11-30T13:00:00+02:00", timedelta(hours=1)),
        ("2026-11-30", timedelta(hours=12)),
    ],
)
def test_a_time_that_has_passed(text: str, before: timedelta) -> None:
    """So long ago, or a day, or a time; in UTC where it has no offset."""
    assert time_given("--since", text, NOW) == NOW - before


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-2h", "9999999h", "999999w", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the forms that are understood, and the status of a wrong call."""
    with pytest.raises(SystemExit) as ended:
        time_given("--since", text, NOW)
    assert ended.value.code == MISUSED
    assert "30m, 2h, 7d" in capsys.readouterr().err
    assert time_ahead(text, NOW) is None


def test_a_time_to_come() -> None:
    """So long from now, or a day, or a time; what has passed is none."""
    assert time_ahead("90d", NOW) == NOW + timedelta(days=90)
    assert time_ahead("12h", NOW) == NOW + timedelta(hours=12)
    assert time_ahead("2026-12-01", NOW) == datetime(2026, 12, 1, tzinfo=UTC)
    assert time_ahead("2026-11-30T13:30:00+01:00", NOW) == NOW + timedelta(minutes=30)
    for passed in ("0s", "2026-11-30", "2026-11-30T12:59:59+01:00"):
        assert time_ahead(passed, NOW) is None


def test_an_option_says_which_forms_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """In plain words, and not as patterns of strftime."""
    with pytest.raises(SystemExit) as ended:
        main(["customers", "unlink", "+15551234567", "+15551234567", "--from", "yesterday"])
    said = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == MISUSED and f"--from yesterday is no time: write {SINCE}." in said and "%" not in said
