"""What is started again, and when: real processes that are killed again and again, or that die at their start."""

import asyncio
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from app.embedded import supervisor
from app.embedded.display import Display
from app.embedded.process import Child
from app.embedded.supervisor import Supervisor, pause_after
from app.settings import Settings
from tests.support.waiting import until


@dataclass
class Sleeper:
    """A part that runs until it is killed, or one that ends at once."""

    log: Path
    seconds: float = 600
    name: str = "Sleeper"
    starts: list[float] = field(default_factory=list)
    _child: Child | None = None

    @property
    def child(self) -> Child:
        """Its process."""
        assert self._child is not None
        return self._child

    async def start(self) -> None:
        """Start it."""
        self.starts.append(time.monotonic())
        self._child = Child(self.name, [sys.executable, "-c", f"import time; time.sleep({self.seconds})"], self.log)
        self._child.start()

    async def stop(self) -> None:
        """End it."""
        await self.child.stop(signal.SIGKILL)


def kept(part: Sleeper, data: Path) -> tuple[Supervisor, StringIO]:
    """A supervisor of this part alone, and what it says."""
    output = StringIO()
    made = Supervisor(Settings(data=data), Display(Console(file=output)))
    made._parts = [part]
    return made, output


def test_only_what_dies_at_its_start_is_waited_for() -> None:
    """Ever longer, up to half a minute; a life of ten seconds ends that."""
    pauses, pause = [], 0.0
    for _ in range(10):
        pause = pause_after(pause, ran=1.0)
        pauses.append(pause)

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    assert pause_after(30.0, ran=10.0) == 0.0
    assert pause_after(0.0, ran=9.0) == 0.2


async def test_what_ran_well_is_back_at_once_however_often_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve kills, each after a life that counts as well: none of them is followed by a pause."""
    monkeypatch.setattr(supervisor, "STEADY", 0.3)
    part = Sleeper(tmp_path / "log")
    await part.start()
    made, output = kept(part, tmp_path)
    watching = asyncio.create_task(made.watch())
    try:
        for kill in range(12):
            await asyncio.sleep(0.5)
            os.kill(part.child.pid, signal.SIGKILL)
            await until(lambda kill=kill: len(part.starts) == kill + 2)  # type: ignore[misc]
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await part.stop()

    assert output.getvalue().count("starts again at once") == 12
    assert not re.search(r"starts again in", output.getvalue())


async def test_what_dies_at_its_start_is_not_started_without_end(tmp_path: Path) -> None:
    """It is given ever more time."""
    part = Sleeper(tmp_path / "log", seconds=0)
    await part.start()
    made, output = kept(part, tmp_path)
    watching = asyncio.create_task(made.watch())
    try:
        await until(lambda: len(part.starts) == 4)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await part.stop()

    assert re.findall(r"starts again in ([\d.]+) s", output.getvalue())[:3] == ["0.2", "0.4", "0.8"]
