"""`threadline archive` refuses what it cannot use, before it asks for pyarrow or the database."""

import pytest

from app import cli


@pytest.mark.parametrize("given", ["2026-13", "March", "2026", ""])
def test_a_month_that_is_none(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as of any option that does not fit, and how one is written."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["archive", "--restore", given])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"--restore {given} is no month: write one as 2026-03.\n"
