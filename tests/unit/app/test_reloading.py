"""A process that follows its settings' files: what it reads when, and what it refuses."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters import ADAPTERS
from app.api.openapi.bundle import document
from app.settings import Settings
from app.settings.reloading import Reloading
from app.settings.stamp import stamp_of
from tests.support.keys import VARIABLE
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
ACME = (ROOT / "docs/examples/acme.toml").read_text().replace('name = "acme"', 'name = "acme_reloaded"')
SOURCE = '[sources.{}]\nadapter = "twilio"\nauth_token = "kept-from-words"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The settings file of a data folder, with one source; PostgreSQL and Kafka are elsewhere."""
    for name in [name for name in os.environ if name.startswith("THREADLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    monkeypatch.setenv("THREADLINE_POSTGRES__DSN", "postgresql://x@127.0.0.1:1/x")
    monkeypatch.setenv("THREADLINE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    for name, value in VARIABLE.items():
        monkeypatch.setenv(name, value)
    before = signal.getsignal(signal.SIGHUP)
    found = tmp_path / "threadline.toml"
    found.write_text(SOURCE.format("one"))
    yield found
    signal.signal(signal.SIGHUP, before)


def put(file: Path, text: str | None) -> str | None:
    """Write a file, or remove it; return the text."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    return text


class Following:
    """A process that looks at its files all the time, and what it has put into force."""

    def __init__(self, **run: Any) -> None:
        self.reloading = Reloading.started()
        self.taken: list[Settings] = []
        self._task = asyncio.create_task(self.reloading.run(self.taken.append, **({"every": 0.02} | run)))

    async def __aenter__(self) -> "Following":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def reloaded(following: Following, reloads: int = 1) -> Settings:
    """The settings in force after so many reloads."""
    await until(lambda: following.reloading.reloads == reloads or following.reloading.faults)
    assert not following.reloading.faults
    return following.reloading.settings


async def test_a_number_beyond_64_bits_does_not_end_the_following(file: Path) -> None:
    """It is a valid limit: it is put into force, and the next change of the file is followed as well."""
    async with Following() as following:
        put(file, SOURCE.format("one") + f"[door]\nspool_max = {10**30}\n")
        assert (await reloaded(following)).door.spool_max == 10**30
        put(file, SOURCE.format("two"))
        assert list((await reloaded(following, 2)).sources) == ["two"]


async def test_an_unforeseen_error_does_not_end_the_following(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted as a failure, and the next change of the file is followed."""
    calls: list[Settings] = []

    def failing_once(settings: Settings) -> str:
        calls.append(settings)
        if len(calls) == 1:
            raise RuntimeError("unforeseen")
        return "0" * 16

    async with Following() as following:
        monkeypatch.setattr("app.settings.reloading.digest", failing_once)
        put(file, SOURCE.format("three"))
        await until(lambda: following.reloading.failures == 1)
        put(file, SOURCE.format("two"))
        await until(lambda: following.reloading.reloads == 1)
        assert list(following.reloading.settings.sources) == ["two"] and not following.reloading.faults


async def test_a_file_that_is_being_written_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half of it may be a valid file with half of the sources. It is read once two looks have found it the same."""
    reads: list[str] = []
    read = Reloading._read

    def noted(reloading: Reloading) -> Settings:
        reads.append(file.read_text())
        return read(reloading)

    monkeypatch.setattr(Reloading, "_read", noted)
    written: list[str] = []

    def look(settings: Settings) -> Any:
        if len(written) < 5:  # each look finds another file, five times
            written.append("".join(SOURCE.format(f"source_{number}") for number in range(len(written) + 1)))
            put(file, written[-1])
        return stamp_of(settings)

    async with Following() as following:
        monkeypatch.setattr("app.settings.reloading.stamp_of", look)
        settings = await reloaded(following)
        assert list(settings.sources) == [f"source_{number}" for number in range(5)]
        assert reads == [written[-1]]


async def test_a_definition_file_is_followed_too(file: Path) -> None:
    """One that is added, a change of it, and one that is broken or removed while a source needs it."""
    folder = file.parent / "adapters"
    try:
        async with Following() as following:
            folder.mkdir()
            put(folder / "acme_reloaded.toml", ACME)
            put(file, '[sources.acme_reloaded]\nsecret = "s"\n')
            first = await reloaded(following)
            assert ADAPTERS["acme_reloaded"] is first.declared["acme_reloaded"]
            put(folder / "acme_reloaded.toml", f"{ACME}\n")
            second = await reloaded(following, 2)
            assert ADAPTERS["acme_reloaded"] is second.declared["acme_reloaded"] is not first.declared["acme_reloaded"]
            put(folder / "acme_reloaded.toml", None)
            await until(lambda: following.reloading.failures)
            assert "sources.acme_reloaded has no adapter 'acme_reloaded'" in following.reloading.faults[0]
            assert following.reloading.settings is second and len(following.taken) == 2
    finally:
        ADAPTERS.pop("acme_reloaded", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[door\n", "threadline.toml: "),
        (SOURCE.format("two") + '[door]\nport = "kept-from-words"\n', "threadline.toml:5"),
        ('[sources.pigeon]\nsecret = "kept-from-words"\n', "sources.pigeon has no adapter 'pigeon'"),
        ("[door]\nmax_body = 0\n", "door.max_body is 0"),
        (None, "the file was removed"),
    ],
)
async def test_what_no_process_could_start_with_is_refused_once(file: Path, text: str | None, says: str) -> None:
    """One count for each change of the file, and none of its values in the fault."""
    async with Following() as following:
        before = following.reloading.settings
        put(file, text)
        await until(lambda: following.reloading.failures)
        assert says in following.reloading.faults[0]
        assert "kept-from-words" not in str(following.reloading.faults)
        assert following.reloading.settings is before and following.taken == []
        assert following.reloading.state()["refused"] is True
        put(file, SOURCE.format("mended"))
        await until(lambda: following.reloading.reloads == 1)
        assert (following.reloading.failures, following.reloading.faults) == (1, [])


async def test_settings_that_cannot_be_put_into_force_are_refused(file: Path) -> None:
    """Whatever the reason is: the process goes on with the old ones."""

    def fails(_: Settings) -> None:
        raise RuntimeError("kept-from-words")

    found = Reloading.started()
    before = found.settings
    put(file, SOURCE.format("two"))
    await found.reload(stamp_of(before), fails)
    assert found.settings is before and found.faults == ["they cannot be put into force: RuntimeError"]


async def test_sighup_reads_at_once_also_before_the_process_follows_its_files(file: Path) -> None:
    """One that comes during the start is not lost, and does not end the process."""
    found = Reloading.started()
    os.kill(os.getpid(), signal.SIGHUP)
    taken: list[Settings] = []
    following = asyncio.create_task(found.run(taken.append, every=600))
    await until(lambda: found.reloads == 1)
    os.kill(os.getpid(), signal.SIGHUP)
    await until(lambda: found.reloads == 2)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


#: Prints what becomes of SIGHUP in a process that was started in a terminal.
IN_TERMINAL = """
import os, signal, sys
from app.settings.reloading import Reloading
def ended(*_):
    os.write(out, b"ended")
    os._exit(0)
out = int(sys.argv[1])
signal.signal(signal.SIGTERM, ended)
found = Reloading.started()
os.kill(os.getpid(), signal.SIGHUP)
os.write(out, b"asked " if found._asked else b"not asked ")
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.usefixtures("file")
def test_a_closed_terminal_ends_the_process_and_another_sighup_does_not() -> None:
    """`kill -HUP` asks for the settings; the SIGHUP of a terminal that was closed ends the process, as it always did."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-c", IN_TERMINAL, str(write)])
    os.close(write)
    assert b"ready" in read_until(terminal, b"ready")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as said:
        assert (said.read(), status) == (b"asked ended", 0)


def read_until(descriptor: int, word: bytes) -> bytes:
    """What a terminal prints, up to this word."""
    printed = b""
    while word not in printed:
        printed += os.read(descriptor, 1024)
    return printed


async def test_what_is_published_is_described(file: Path) -> None:
    """`/healthz` has the state under `settings`, as the API's description says."""
    async with Following() as following:
        page = {"status": "ok", "uptime": 1.5, "settings": following.reloading.state()}
    components = document()["components"]
    Draft202012Validator({**components["schemas"]["Health"], "components": components}).validate(page)
