"""One command of each group in a process of its own: what the other tests of commands do in this process holds there."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.conftest import Dsns
from tests.integration.command_line import on_store, process
from tests.support.keys import KEY

#: Arguments, the exit code, and words of what is printed.
COMMANDS = (
    (("callbacks", "list"), 0, "There are no callbacks yet"),
    (("clients", "set", "shop", "--file", "-"), 2, "$.channels"),
    (("dead-letters", "list"), 0, "There are no dead letters"),
    (("gaps",), 0, "No gap"),
    (("keys", "create", "shop"), 0, "tl_"),
    (("messages", "list"), 1, "does not answer"),
    (("recipients", "show", "+15551234567"), 0, "no consent on record"),
    (("send", "--to", "+15551234567", "Hello"), 1, "does not answer"),
    (("timeline", "+15551234567"), 1, "has no customer"),
    (("rebuild",), 1, "THREADLINE_POSTGRES__OWNER_DSN"),
    (("doctor",), 1, "PostgreSQL, service role"),
    (("serve",), 2, "did you mean"),
)


@pytest.mark.parametrize(("arguments", "code", "words"), COMMANDS, ids=[" ".join(each[0][:2]) for each in COMMANDS])
async def test_a_command_of_each_group_in_a_process_of_its_own(
    postgres_dsn: Dsns, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """It reads the environment and standard input, prints, and ends with its exit code; the API is not there."""
    environment = on_store(postgres_dsn.service, tmp_path) | {
        "THREADLINE_API_URL": "http://127.0.0.1:1",
        "THREADLINE_SECRETS__KEYS": f'["{KEY}"]',
    }
    if arguments[0] == "keys":
        del environment["THREADLINE_API_URL"]
    if arguments[0] in ("send", "messages"):
        environment["THREADLINE_API_KEY"] = "tl_none"
    if arguments[0] == "serve":
        environment["THREADLINE_DOR__PORT"] = "1"
    ran = await process(*arguments, given=b'{"channels": []}', environment=environment)
    assert (ran.code, words in ran.out + ran.err) == (code, True), ran


async def test_the_entry_point_is_the_same_program() -> None:
    """`threadline` is installed beside the interpreter, and says its version."""
    program = Path(sys.executable).with_name("threadline")
    started = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    out, _ = await started.communicate()
    assert (started.returncode, out.decode().split()[0]) == (0, "threadline")
