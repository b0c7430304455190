"""`threadline …` as a person would run it: how a command ends, and what it prints."""

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple


class Ran(NamedTuple):
    """How a command ended, and what it printed."""

    code: int | None
    out: str
    err: str


async def command(*arguments: str, given: bytes = b"", **environment: str) -> Ran:
    """Run it with this on standard input, and nothing of Threadline's in its environment but this."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("THREADLINE_")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=others | {"COLUMNS": "200"} | environment,
    )
    out, err = await process.communicate(given)
    assert "Traceback" not in err.decode()
    return Ran(process.returncode, out.decode(), err.decode())


def on_store(dsn: str, data: Path) -> dict[str, str]:
    """The environment of commands that work on this database."""
    return {
        "THREADLINE_DATA": str(data),
        "THREADLINE_POSTGRES__DSN": dsn,
        "THREADLINE_KAFKA__BOOTSTRAP": "127.0.0.1:1",
    }


async def threadline(*arguments: str, dsn: str, data: Path) -> Ran:
    """Run a command on this database."""
    return await command(*arguments, **on_store(dsn, data))
