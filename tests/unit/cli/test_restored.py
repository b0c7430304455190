"""`threadline restored rewind` refuses a time that it cannot use, before it asks anything of Kafka."""

import pytest

from app import cli


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("yesterday", "is no time"),
        ("2026-11-29T03:00:00", "give one such as 2026-11-29T03:00:00Z"),
        ("2026-11-29", "give one such as 2026-11-29T00:00:00Z"),
        ("2999-01-01T00:00:00Z", "in the future"),
    ],
)
def test_a_time_that_cannot_be_used(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and what to give instead."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["restored", "rewind", "--to", given])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
