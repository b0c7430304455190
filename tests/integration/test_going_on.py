"""Commands that go on (`up`, `demo`, `serve`, `work`, `mqtt`) where they cannot, and when they are stopped: in clear words that fit
80 columns, with their exit code, without a traceback."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.embedded import ports, running
from tests.integration.command_line import INTERRUPTIBLE, Ran, environment_of, process
from tests.integration.test_walked import wide
from tests.support.keys import KEY

NOBODY = "postgresql://nobody:hidden-word@127.0.0.1:1/none"
#: The setting of each port.
PORTS = {"up": "DOOR", "serve": "DOOR", "work": "WORKER"}
SOURCE = '[sources.devices]\nadapter = "mqtt"\nbroker = "mqtt://127.0.0.1:1"\nsubscribe = "a/#"\nurl_secret = "hidden-word"\n'


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings of servers that are not there, and of ports that are free."""
    return {
        "HOME": str(tmp_path),
        "COLUMNS": "80",
        "THREADLINE_DATA": str(tmp_path / "data"),
        "THREADLINE_POSTGRES__DSN": NOBODY,
        "THREADLINE_POSTGRES__OWNER_DSN": NOBODY,
        "THREADLINE_KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "THREADLINE_SECRETS__KEYS": f'["{KEY}"]',
        "THREADLINE_DOOR__PORT": str(ports.free()),
        "THREADLINE_WORKER__PORT": str(ports.free()),
    }


def said(ran: Ran) -> str:
    """All that it said, in one line; it is fit to be read. Lines of the log, which are JSON, may be long."""
    text = "\n".join(line for line in (ran.out + ran.err).splitlines() if not line.startswith("{"))
    assert "Traceback" not in ran.out + ran.err and "hidden-word" not in ran.out + ran.err, ran
    assert not wide(Ran(ran.code, text, "")), ran
    return " ".join(text.split())


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the lock of a data folder, as a `threadline up` that starts."""
    with running.lock(data):
        running.publish(data, {"pid": 4711, "ready": False})
        yield


async def stopped(command: str, when: str, environment: Mapping[str, str]) -> Ran:
    """Run a command, send it SIGINT once its output has these words, and wait for its end."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", INTERRUPTIBLE, command),
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
        env=environment_of(environment),
    )
    assert started.stdout is not None
    out = b""
    try:
        async with asyncio.timeout(90):
            while when.encode() not in out:
                line = await started.stdout.readline()
                assert line, out
                out += line
            started.send_signal(signal.SIGINT)
            out += await started.stdout.read()
            code = await started.wait()
    finally:
        if started.returncode is None:
            started.kill()
    return Ran(code, out.decode(), "")


@pytest.mark.parametrize("command", ["up", "demo"])
async def test_without_a_database_nothing_is_started(command: str, environment: dict[str, str]) -> None:
    """The reason is told once."""
    ran = await process(command, environment=environment)
    assert ran.code == 1 and "PostgreSQL cannot be reached: " in said(ran), ran


@pytest.mark.parametrize(
    ("command", "when", "words"),
    [
        ("serve", '"event": "listening"', '"kafka": false'),
        ("work", '"what": "kafka"', "Unable to bootstrap from [('127.0.0.1', 1"),
        ("mqtt", "reached", '"source": "devices"'),
    ],
)
async def test_what_goes_on_without_servers_ends_when_it_is_asked_to(
    command: str, when: str, words: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """At the first Ctrl-C, in order."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "threadline.toml").write_text(SOURCE)
    ran = await stopped(command, when, environment)
    assert ran.code == 0 and words in ran.out, ran
    said(ran)


@pytest.mark.parametrize("command", PORTS)
async def test_a_port_in_use_is_named(command: str, environment: dict[str, str]) -> None:
    """With the setting, before anything is begun."""
    name = f"THREADLINE_{PORTS[command]}__PORT"
    with socket.create_server((ports.LOOPBACK, int(environment[name]))):
        ran = await process(command, environment=environment)
    assert ran.code == (70 if command == "work" else 1), ran
    words = " ".join((ran.out + ran.err).split())
    assert f"127.0.0.1:{environment[name]}" in words and name in words and "Traceback" not in words, ran


@pytest.mark.parametrize("command", ["up", "demo", "doctor"])
async def test_a_folder_that_cannot_be_made_is_named(command: str, environment: dict[str, str], tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").touch()
    folder = {"THREADLINE_DATA": str(tmp_path / "file" / "data")}
    embedded = {name: value for name, value in environment.items() if "DSN" not in name and "KAFKA" not in name}
    ran = await process(command, environment=embedded | folder)
    words = said(ran)
    assert ran.code == 1 and "Not a directory" in words and "THREADLINE_DATA" in words, ran


@pytest.mark.parametrize(("command", "words"), [("up", "already (process 4711)"), ("demo", "is starting here")])
async def test_a_second_one_says_that_there_is_one(
    command: str, words: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Also while the first one starts."""
    with held(tmp_path / "data"):
        ran = await process(command, environment=environment)
    assert ran.code == 1 and words in said(ran), ran


async def test_a_broker_is_asked_for(environment: dict[str, str]) -> None:
    """`threadline mqtt` without a source that has one is misused."""
    ran = await process("mqtt", environment=environment)
    assert ran.code == 2 and "no source has a broker" in said(ran), ran
