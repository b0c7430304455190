"""One child process: started so that it dies with us, its output in a log file, stopped by a signal and then for good."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded.account import Account

TETHER = Path(__file__).with_name("tether.py")
LOG_KEPT = 16 << 20  # bytes of a log file, past which a start moves it to `….1`


class StartFailed(Exception):
    """A program did not come up. The message says which, why, and where its log is."""


@dataclass
class Child:
    """A program under our wing.

    `death_signal` is what the kernel sends it when we die, however we die; the thread that calls `start` must live as
    long as the child shall (the kernel counts the thread, not the process, as its parent), so start from the main one.
    """

    name: str
    program: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    without: str | None = None  # prefix of variables that would change what it does behind our back
    folder: Path = Path("/")
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once. A log that has grown past `LOG_KEPT` is moved aside first."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_KEPT:
            self.log.replace(self.log.with_name(self.log.name + ".1"))
        inherited = {k: v for k, v in os.environ.items() if self.without is None or not k.startswith(self.without)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self.program, self.account, self.death_signal),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**inherited, **self.environment},
                start_new_session=True,  # a terminal's Ctrl-C is for us, who then stop the children in order
            )

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError where it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal), or None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    async def wait(self, within: float | None = None) -> bool:
        """Wait until it has ended, at most `within` seconds. Returns whether it has."""
        deadline = None if within is None else time.monotonic() + within
        while self.alive:
            if deadline is not None and time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 20.0) -> None:
        """Send `how`; after `within` seconds, SIGKILL. Returns when it has ended; does nothing where it has."""
        if not self.alive:
            return
        os.kill(self.pid, how)
        if not await self.wait(within):
            os.kill(self.pid, signal.SIGKILL)
            await self.wait()

    def how_it_ended(self) -> str:
        """In words, e.g. `killed by SIGKILL`, `exit code 1`."""
        code = self.exit_code
        return (
            "it runs"
            if code is None
            else f"exit code {code}"
            if code >= 0
            else f"killed by {signal.Signals(-code).name}"
        )

    def failure(self, why: str) -> StartFailed:
        """The error that says that it did not come up, with the last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        return StartFailed("\n  ".join([f"{self.name} did not start: {why} (log: {self.log})", *lines]))


def tethered(
    program: Sequence[str | Path], account: Account | None = None, death_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """The command line that runs `program` as `account` (None: as ourselves), and ends it when we end."""
    identity = [str(account.uid), str(account.gid)] if account else ["-", "-"]
    start = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(death_signal)), *identity]
    return [*start, *map(str, program)]
