"""Runs a child process that ends with this one and writes its output to a log file."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.embedded.account import SystemAccount

TETHER = Path(__file__).with_name("tether.py")
LOG_KEPT = 16 << 20  # bytes; a larger log file is moved to `….1` at the next start


class StartFailed(Exception):
    """A program did not start. The message names it, its log and the reason."""


@dataclass
class Child:
    """A child process.

    The kernel sends it `death_signal` when this process dies. The kernel regards the thread that calls `start`, not the process,
    as its parent, so call it from the main thread.
    """

    name: str
    program: Sequence[str | Path]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    without: str | None = None  # prefix of environment variables that are not passed on
    folder: Path = Path("/")
    account: SystemAccount | None = None
    death_signal: signal.Signals = signal.SIGKILL
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and return at once. A log larger than `LOG_KEPT` is moved aside first."""
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
                start_new_session=True,  # a terminal's Ctrl-C goes only to this process, which stops its children in order
            )

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative for a signal), or None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._process is not None and self._process.poll() is None

    async def wait(self, within: float | None = None) -> bool:
        """Wait at most `within` seconds for it to end. Returns whether it has ended."""
        deadline = None if within is None else time.monotonic() + within
        while self.alive:
            if deadline is not None and time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 20.0) -> None:
        """Send `how`, and SIGKILL after `within` seconds. Returns when it has ended."""
        if not self.alive:
            return
        os.kill(self.pid, how)
        if not await self.wait(within):
            os.kill(self.pid, signal.SIGKILL)
            await self.wait()

    def how_it_ended(self) -> str:
        """Describe the exit code, e.g. `killed by SIGKILL`, `exit code 1`."""
        code = self.exit_code
        return (
            "it runs"
            if code is None
            else f"exit code {code}"
            if code >= 0
            else f"killed by {signal.Signals(-code).name}"
        )

    def failure(self, why: str) -> StartFailed:
        """Return the error for a failed start, with the last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        return StartFailed("\n  ".join([f"{self.name} did not start: {why} (log: {self.log})", *lines]))


def tethered(
    program: Sequence[str | Path], account: SystemAccount | None = None, death_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Return a command line that runs `program` as `account` (None: the current user) and ends it with this process."""
    identity = [str(account.uid), str(account.gid)] if account else ["-", "-"]
    start = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), str(int(death_signal)), *identity]
    return [*start, *map(str, program)]
