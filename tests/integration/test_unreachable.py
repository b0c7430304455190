"""Every command where no server answers: a clear error, its exit code, and no traceback."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.program import COMMANDS, load
from tests.integration.command_line import Ran, process
from tests.support.keys import KEY

#: The same in every process of the tests, which compare what they have collected.
ID, ADDRESS = "3f0d6a8e-2b1c-4c57-9a64-0e5f7c1d2b39", "+15551234567"

#: What commands need beside their names, by the path.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "send": ("--to", ADDRESS, "Hello"),
    "messages show": (ID,),
    "messages explain": (ID,),
    "messages cancel": (ID,),
    "messages release": (ID,),
    "timeline": (ADDRESS,),
    "customers find": (ADDRESS,),
    "customers show": (ID,),
    "customers merge": (ID, ADDRESS),
    "customers split": (ID, ADDRESS),
    "customers unlink": (ID, ADDRESS, "--from", "2026-01-01"),
    "customers undo": (ID,),
    "customers erase": (ID, "--reason", "asked", "--yes"),
    "customers hold": (ID, "--reason", "asked"),
    "customers unhold": (ID,),
    "customers export": (ID, "--output", "{folder}/out.zip"),
    "recipients show": (ADDRESS,),
    "recipients opt-out": (ADDRESS,),
    "recipients opt-in": (ADDRESS,),
    "recipients zone": (ADDRESS, "Europe/Lisbon"),
    "erasure show": (ID,),
    "erasure approve": (ID,),
    "erasure refuse": (ID, "--reason", "no"),
    "erasure verify": ("{folder}/none.json",),
    "erasure replay": ("{folder}/none.json",),
    "clients show": ("shop",),
    "clients set": ("shop", "--file", "{folder}/client.json"),
    "clients account": ("shop", "twilio", "--adapter", "twilio", "--set", "account_sid=AC1"),
    "clients remove-account": ("shop", "twilio"),
    "clients seed": ("{folder}/seed.toml",),
    "callbacks show": ("shop",),
    "callbacks rotate": ("shop",),
    "callbacks enable": ("shop",),
    "callbacks replay": ("shop", "--since", "2026-01-01T00:00:00Z"),
    "keys create": ("shop",),
    "keys rotate": (ID,),
    "keys revoke": (ID,),
    "login": ("--url", "http://127.0.0.1:1"),
    "dead-letters show": (ID,),
    "dead-letters replay": (ID,),
    "dead-letters discard": (ID, "--reason", "old"),
    "gaps acknowledge": ("1",),
    "explain": ("{folder}/none.http",),
    "simulate": ("nobody",),
    "restored rewind": ("--to", "2026-01-01T00:00:00Z"),
    "new-provider": ("twilio",),
}
#: Commands that need no server, with what they end with.
ALONE = {
    "providers", "events", "settings", "settings show", "settings check", "audit key", "keys scopes", "secrets create",
    "secrets wrap", "secrets list", "logout",
}  # fmt: skip
#: Commands that go on, and wait for the servers: tests/integration/test_going_on.py has them.
GOING_ON = {"up", "serve", "work", "mqtt", "demo"}


def commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of each command at or below this one."""
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from commands(one, (*path, name))
    if not inner or command.invoke_without_command:
        yield path


EVERY = [" ".join(path) for name in COMMANDS for path in commands(load(name), (name,))]
#: So many at a time: most of them wait for an answer.
AT_ONCE = asyncio.Semaphore(6)


async def run(environment: dict[str, str], *arguments: str) -> Ran:
    """Run a command, and give it no answer to what it asks."""
    async with AT_ONCE:
        return await asyncio.wait_for(process(*arguments, environment=environment), 120)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings of servers that are not there, and the files that commands read."""
    (tmp_path / "client.json").write_text('{"channels": [{"channel": "sms", "account": "twilio"}]}')
    (tmp_path / "seed.toml").write_text('[clients.shop]\nchannels = [{ channel = "sms", account = "twilio" }]\n')
    nobody = "postgresql://nobody:hidden-word@127.0.0.1:1/none"
    return {
        "HOME": str(tmp_path),
        "COLUMNS": "80",
        "THREADLINE_DATA": str(tmp_path),
        "THREADLINE_POSTGRES__DSN": nobody,
        "THREADLINE_POSTGRES__OWNER_DSN": nobody,
        "THREADLINE_KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "THREADLINE_SECRETS__KEYS": f'["{KEY}"]',
        "THREADLINE_API_URL": "http://127.0.0.1:1",
    }


async def test_without_servers_each_command_says_what_is_wrong(environment: dict[str, str], tmp_path: Path) -> None:
    """It ends with 1, or 2 for a file that is not there, in lines that fit the terminal, without a traceback or a password."""
    paths = [path for path in EVERY if path not in ALONE | GOING_ON]
    given = {path: [one.format(folder=tmp_path) for one in ARGUMENTS.get(path, ())] for path in paths}
    others = {
        path: {"THREADLINE_API_KEY": "tl_live_none"} if path.split()[0] in ("send", "messages") else {}
        for path in paths
    }
    ends = await asyncio.gather(*(run(environment | others[path], *path.split(), *given[path]) for path in paths))
    wrong = []
    for path, ran in zip(paths, ends, strict=True):
        said = ran.out + ran.err
        clear = ran.code in (1, 2) and said.strip() and "Traceback" not in said and "hidden-word" not in said
        wide = [line for line in said.splitlines() if len(line) > 80 and len(line.split()) > 1]
        if not clear or wide:
            wrong.append((path, ran))
    assert not wrong, "\n".join(f"{path}: {ran.code}\n{ran.out}{ran.err}" for path, ran in wrong)


MISUSES = [
    ("audit list --since yesterday", "--since yesterday is no time"),
    ("audit list --action none", "There is no action none"),
    ("callbacks replay shop --since noon", "is no time: write"),
    ("customers show +1555", "names no customer"),
    ("dead-letters list --until never", "--until never is no time"),
    ("dead-letters show 1", "There is no dead letter 1"),
    ("erasure show 1", "is no erasure's id"),
    ("keys create x --scope none", "There is no scope none"),
    ("providers nobody", "There is no provider 'nobody'"),
    ("recipients opt-out +15551234567 --channel fax", "There is no channel fax"),
    ("restored rewind --to noon", "is no time"),
    ("send --to +15551234567 --priority urgent --channel fax hello", "--channel: must be one of"),
    ("simulate nobody", "there is no simulated provider"),
]


@pytest.mark.parametrize(("line", "words"), MISUSES, ids=[line for line, _ in MISUSES])
async def test_a_misuse_is_told_before_a_server_is_asked(environment: dict[str, str], line: str, words: str) -> None:
    """With 2, at once."""
    ran = await run(environment, *line.split())
    assert ran.code == 2 and words in " ".join(ran.err.split()), ran
    assert max(len(one) for one in ran.err.splitlines() if " " in one.strip()) <= 80, ran.err
