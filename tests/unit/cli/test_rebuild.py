"""What `threadline rebuild` prints of its progress, where there is no terminal for a bar."""

import pytest
from rich.console import Console

from app.cli import rebuild
from sql.rebuild import Progress


def test_lines_of_progress_are_of_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line every few seconds, with a rate once there was time to measure one; none that says the same twice, and none of no events a
    second while there are some."""
    now = 0.0

    async def worked(_: str, progress: Progress, processes: int) -> int:
        nonlocal now
        for done in (10, 20, 30, 40, 40):
            progress("folded", done, 40)
            now += rebuild.EVERY / 2
        return 40

    monkeypatch.setattr(rebuild, "rebuild_from_log", worked)
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert rebuild.print_lines("", Console()) == 40
    lines = capsys.readouterr().out.splitlines()
    rate = f"{10 / (rebuild.EVERY / 2):,.0f}"
    assert lines[0] == f"30 of 40 events folded, {rate} events/s"
    assert len(lines) == len(set(lines)) == 2 and all(" 0 events/s" not in line for line in lines)
