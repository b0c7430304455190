"""Child processes: how they end, and that they end with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from app.embedded.process import Child

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]
PARENT = """
import sys, time
from pathlib import Path
from app.embedded.process import Child

child = Child("child", [sys.executable, "-c", "import time; time.sleep(600)"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def until(condition: object, seconds: float = 10) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Return whether the process has ended; a zombie counts as ended."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_child_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    """A kill -9 of the parent, which can do nothing about it, takes the child along."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        until(lambda: "time.sleep" in psutil.Process(child).cmdline()[-1])
        time.sleep(0.2)
        parent.kill()

    until(lambda: gone(child))


async def test_a_child_is_asked_to_stop(tmp_path: Path) -> None:
    """SIGTERM ends a child that heeds it, and how it ended is described in words."""
    child = Child("child", SLEEP, tmp_path / "log")
    child.start()
    until(lambda: "here" in child.log.read_text())

    await child.stop()

    assert not child.alive
    assert child.how_it_ended() == "killed by SIGTERM"


async def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    """After the time it was given, a child that ignores the signal is ended for good."""
    child = Child("child", STUBBORN, tmp_path / "log")
    child.start()
    until(lambda: "here" in child.log.read_text())

    await child.stop(within=0.2)

    assert child.exit_code == -signal.SIGKILL


async def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """Where a program does not come up, the error has its last words and where the rest is."""
    child = Child("thing", [sys.executable, "-c", "print('port is taken'); raise SystemExit(3)"], tmp_path / "log")
    child.start()
    await child.wait()

    failure = str(child.failure(f"it ended, {child.how_it_ended()}"))

    assert failure == f"thing did not start: it ended, exit code 3 (log: {tmp_path / 'log'})\n  port is taken"


async def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    """A missing executable is a line in the log, not a traceback."""
    child = Child("thing", [tmp_path / "absent"], tmp_path / "log")
    child.start()
    await child.wait()

    assert child.log.read_text() == f"cannot run {tmp_path / 'absent'}: No such file or directory\n"


async def test_a_grown_log_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start begins a new log file where the old one is large, and keeps one old one."""
    monkeypatch.setattr("app.embedded.process.LOG_KEPT", 10)
    log = tmp_path / "log"
    log.write_text("x" * 11)
    child = Child("child", [sys.executable, "-c", "print('new')"], log)
    child.start()
    await child.wait()

    assert log.read_text() == "new\n"
    assert (tmp_path / "log.1").read_text() == "x" * 11


async def test_variables_that_would_mislead_it_are_kept_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`without` names a prefix of variables that a child does not inherit."""
    monkeypatch.setenv("PGDATA", "/elsewhere")
    program = [sys.executable, "-c", "import os; print(os.environ.get('PGDATA'), os.environ['MORE'])"]
    child = Child("child", program, tmp_path / "log", environment={"MORE": "yes"}, without="PG")
    child.start()
    await child.wait()

    assert child.log.read_text() == "None yes\n"
    assert os.environ["PGDATA"] == "/elsewhere"
