"""`threadline …` as a person would run it: how a command ends, and what it prints. In this process, which is quick
(`command`), or in one of its own (`process`)."""

import asyncio
import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO, TypedDict

from app.cli import main
from tests.support.keys import KEY

#: Commands share the environment and the standard streams, so one runs at a time.
_ONE_AT_A_TIME = threading.Lock()
#: A command as from a terminal, also where these tests run in the background of a shell, which has SIGINT ignored then.
INTERRUPTIBLE = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from app.cli import main
main()"""


class Ran(NamedTuple):
    """How a command ended, and what it printed."""

    code: int | None
    out: str
    err: str


class On(TypedDict):
    """The store that `threadline` works on."""

    dsn: str
    data: Path


async def command(*arguments: str, given: bytes = b"", environment: Mapping[str, str]) -> Ran:
    """Run a command in a thread of this process, with `given` on standard input, and of Threadline's variables only those
    of `environment`. An exception that the command does not handle is raised here."""
    return await asyncio.to_thread(_run, arguments, given, environment_of(environment))


async def process(*arguments: str, given: bytes = b"", environment: Mapping[str, str]) -> Ran:
    """Run a command as `command` does, in a process of its own."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=environment_of(environment),
    )
    out, err = await started.communicate(given)
    assert "Traceback" not in err.decode()
    return Ran(started.returncode, out.decode(), err.decode())


def on_store(dsn: str, data: Path) -> dict[str, str]:
    """The environment of commands that work on this database."""
    return {
        "THREADLINE_DATA": str(data),
        "THREADLINE_POSTGRES__DSN": dsn,
        "THREADLINE_KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "THREADLINE_SECRETS__KEYS": f'["{KEY}"]',
    }


async def threadline(*arguments: str, dsn: str, data: Path) -> Ran:
    """Run a command on this database, in this process."""
    return await command(*arguments, environment=on_store(dsn, data))


class _Stream:
    """A standard stream that is another one for the thread that made it."""

    def __init__(self, ours: Any, others: Any) -> None:
        self._thread, self._ours, self._others = threading.get_ident(), ours, others

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ours if threading.get_ident() == self._thread else self._others, name)


def _run(arguments: tuple[str, ...], given: bytes, environment: dict[str, str]) -> Ran:
    out, err = io.BytesIO(), io.BytesIO()
    streams: dict[str, TextIO] = {
        "stdin": io.TextIOWrapper(io.BytesIO(given), "utf-8"),
        "stdout": io.TextIOWrapper(out, "utf-8", write_through=True),
        "stderr": io.TextIOWrapper(err, "utf-8", write_through=True),
    }
    code: int | None = None
    with _ONE_AT_A_TIME, _replaced(environment, streams):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
            if isinstance(end.code, str):  # as the interpreter does
                print(end.code, file=sys.stderr)
    return Ran(code, out.getvalue().decode(), err.getvalue().decode())


@contextmanager
def _replaced(environment: dict[str, str], streams: dict[str, TextIO]) -> Iterator[None]:
    """Have this environment, and these streams in this thread."""
    was = dict(os.environ), {name: getattr(sys, name) for name in streams}
    os.environ.clear()
    os.environ.update(environment)
    for name, ours in streams.items():
        setattr(sys, name, _Stream(ours, was[1][name]))
    try:
        yield
    finally:
        for name, others in was[1].items():
            setattr(sys, name, others)
        os.environ.clear()
        os.environ.update(was[0])


def environment_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: ours, and of Threadline's variables those that are given alone."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("THREADLINE_")}
    return others | {"COLUMNS": "200", **given}
