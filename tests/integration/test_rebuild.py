"""Rebuild: alike row for row, while events keep coming, killed, twice at once, in somebody's way."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from rich.console import Console

from app.cli.rebuild import draw_bar
from schemas.events import Event, Handle
from sql import EventStore, Row
from sql.rebuild import Progress, RebuildError, rebuild
from sql.statements import statement
from tests.conftest import Dsns
from tests.support.keys import SEAL

START = datetime(2026, 11, 21, tzinfo=UTC)
PHONE = "+15550000001"
TABLES = {
    "interactions": "SELECT to_jsonb(i) FROM threadline.interactions i ORDER BY id, client_id",
    "links": "SELECT to_jsonb(l) FROM threadline.interaction_links l ORDER BY reference",
    "assignments": "SELECT to_jsonb(a) FROM threadline.assignments a ORDER BY id",
    "consents": "SELECT to_jsonb(c) FROM threadline.consents c ORDER BY handle_id, channel",
}


def row_of(type: str, number: int, provider: str | None, ours: str | None = None) -> Row:
    """An event of a message known by their id, ours, or both."""
    event = Event(
        type, "twilio", f"{type}-{number}", channel="sms", direction="outbound", provider_message_id=provider, message_id=ours,
        handle=Handle("phone", f"+1555{number % 3 + 1:07d}"),
    )  # fmt: skip
    return (event, "default", START + timedelta(seconds=number), None)


def sent(first: int, after: int) -> list[Row]:
    return [row_of("UserMessageSent", n, f"p{n}") for n in range(first, after)]


async def read(dsn: str, query: str) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        return [row[0] for row in await (await db.execute(query)).fetchall()]


async def tables(dsn: str) -> dict[str, list[Any]]:
    """All that is folded from the log, every column."""
    return {name: await read(dsn, query) for name, query in TABLES.items()}


async def test_a_rebuild_while_events_keep_coming(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same connections append before, during and after, links among it; every row is as another rebuild makes it."""
    monkeypatch.setattr("sql.folding.CHUNK", 500)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=3) as store:
        for start in range(0, 4000, 500):
            await store.append(sent(start, start + 500))
        finished = asyncio.Event()

        async def write(lane: int) -> int:
            number = 10_000 * (lane + 1)
            while not finished.is_set():
                rows = [row_of("MessageDelivered", number + n, f"p{(number + n) % 5000}") for n in range(20)]
                rows += [row_of("MessageRequested", number, None, f"m{number % 50}")]
                rows += [row_of("MessageQueued", number, f"p{number % 3000}", f"m{number % 50}")]
                rows += [row_of(f"Recipient{'Uns' if number % 40 else 'S'}ubscribed", number, f"p{number % 3000}")]
                await store.append(rows)
                number += 20
            return number - 10_000 * (lane + 1)

        writing = [asyncio.create_task(write(lane)) for lane in range(2)]
        for processes in (1, 2, 3):
            await rebuild(postgres_dsn.owner, processes=processes)
        finished.set()
        assert all([await lane for lane in writing])
        await store.append([row_of("MessageRead", 1, "p1")])
    live = await tables(postgres_dsn.owner)
    (count,) = await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.events")

    for processes in (1, 2, 5):
        assert await rebuild(postgres_dsn.owner, processes=processes) == count
        assert await tables(postgres_dsn.owner) == live
    assert live["links"] and live["consents"]


async def test_what_was_prepared_reads_the_new_tables(postgres_dsn: Dsns) -> None:
    """A connection that asked before the swap is answered after it, and from what is there now."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:

        async def answers() -> list[Any]:
            (handle,) = await store.customer_of("default", "phone", PHONE)
            page = await store.timeline("default", handle["customer_id"])
            one = await store.interaction("default", page[0]["id"])
            horizon = await store.horizon()
            changed = await store.changes_since(
                xid=0, position=0, horizon=horizon, customers=[handle["customer_id"]], limit=9
            )
            changes = await store.customer_changes(
                client_id="default", customer_id=handle["customer_id"], xid=0, position=0, limit=9
            )
            return [handle, page, one, changed, changes, await store.history("default", page[0]["id"])]

        await store.append(sent(0, 30))
        before = await answers()
        await rebuild(postgres_dsn.owner)
        after = await answers()
        await store.append(sent(30, 33))
        later = await answers()

    assert after == before
    assert len(later[1]) == len(before[1]) + 1


async def test_privileges_and_indexes_survive(postgres_dsn: Dsns) -> None:
    """After the swap the roles may do what they could before, the indexes and settings are there, counts are known."""
    indexes = "SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE schemaname IN ('threadline', 'threadline_rebuild')"
    grants = (
        "SELECT array_agg(relname || coalesce(relacl::text, '') || coalesce(reloptions::text, '') || relowner::regrole "
        "ORDER BY relname) FROM pg_class WHERE relnamespace = 'threadline'::regnamespace"
    )
    constraints = (
        "SELECT array_agg(conrelid::regclass::text || conname || pg_get_constraintdef(oid) "
        "ORDER BY conrelid::regclass::text, conname) "
        "FROM pg_constraint WHERE connamespace = 'threadline'::regnamespace"
    )
    before = [await read(postgres_dsn.owner, query) for query in (indexes, grants, constraints)]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 30))
        await rebuild(postgres_dsn.owner)
        counts = await store.counts()

    assert [await read(postgres_dsn.owner, query) for query in (indexes, grants, constraints)] == before
    assert (counts["interactions"], counts["handles"]) == (30, 3)
    assert sum(await read(postgres_dsn.owner, "SELECT handles FROM threadline.customers")) == 3


async def test_one_rebuild_at_a_time(postgres_dsn: Dsns) -> None:
    """The second ends with that error, and changes nothing."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute(statement("rebuild_lock"))
        with pytest.raises(RebuildError, match="under way"):
            await rebuild(postgres_dsn.owner)


KILLED = """
import asyncio, sys, time
import sql.folding, sql.rebuild
sql.folding.CHUNK = 10
def progress(what, done, total):
    print(what, done, flush=True)
    if what == sys.argv[1] and done >= int(sys.argv[2]):
        time.sleep(60)
asyncio.run(sql.rebuild.rebuild(sys.stdin.readline(), progress, processes=int(sys.argv[3])))
"""


async def _killed(dsn: str, *arguments: str) -> None:
    """Start a rebuild in chunks of ten, and kill it where it says what is asked for."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *arguments, stdin=pipe, stdout=pipe)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(dsn.encode())
    child.stdin.close()
    what, done, _ = arguments
    while line := await child.stdout.readline():
        said, count = line.split()
        if said.decode() == what and int(count) >= int(done):
            break
    assert line
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()


@pytest.mark.parametrize(
    ("what", "done"),
    [("tied", "10"), ("tied", "60"), ("linked", "1"), ("folded", "10"), ("folded", "60")],
)
@pytest.mark.parametrize("processes", ["1", "3"])
async def test_a_rebuild_killed_in_the_middle(
    postgres_dsn: Dsns, what: str, done: str, processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 after a chunk: the live tables are untouched and in use. The next rebuild goes on from there, whatever was appended
    meanwhile, also what links messages of which one part has passed the place and the other has not."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 96))
        # Two messages under one provider's id, which no part links alone.
        await store.append([row_of("MessageQueued", 200 + n, f"p{40 + n // 2}", f"m{100 + n}") for n in range(4)])
        before = await tables(postgres_dsn.owner)
        await _killed(postgres_dsn.owner, what, done, processes)
        assert await tables(postgres_dsn.owner) == before
        progress = "SELECT sum(events)::int FROM threadline_rebuild.progress WHERE part > 0"
        (kept,) = await read(postgres_dsn.owner, progress)
        assert kept >= (int(done) if what == "folded" else 0)
        for number in range(0, 60, 3):  # two providers' ids that are one message
            await store.append([row_of("MessageQueued", number, f"p{number}", f"m{number}")])
            await store.append([row_of("MessageDelivered", number, f"p{number + 1}", f"m{number}")])
        live = await tables(postgres_dsn.owner)
        folded: list[int] = []
        monkeypatch.setattr("sql.folding.CHUNK", 10)
        note: Progress = lambda what, done, total: folded.append(done) if what == "folded" else None  # noqa: E731

        assert await _once_unlocked(postgres_dsn.owner, note) == 140
        assert folded[0] > kept
        assert await tables(postgres_dsn.owner) == live
        assert await read(postgres_dsn.owner, progress) == [None]
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == live


async def test_a_rebuild_of_another_version_is_not_gone_on_with(
    postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the statements are others than those that began it, it begins anew."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 100))
        await _killed(postgres_dsn.owner, "folded", "60", "1")
        monkeypatch.setattr("sql.folding.CHUNK", 10)
        monkeypatch.setattr("sql.folding.made_with", lambda: "another")
        monkeypatch.setattr("sql.rebuild.made_with", lambda: "another")
        folded: list[int] = []
        note: Progress = lambda what, done, total: folded.append(done) if what == "folded" else None  # noqa: E731
        assert await _once_unlocked(postgres_dsn.owner, note) == 100
    assert folded[0] == 10


async def _once_unlocked(dsn: str, progress: Progress) -> int:
    """Rebuild as soon as the server has noticed that the other is gone."""
    for _ in range(100):
        try:
            return await rebuild(dsn, progress)
        except RebuildError:
            await asyncio.sleep(0.05)
    raise AssertionError("the lock of the one that was killed was never freed")


async def test_a_long_reader_delays_the_swap_and_nothing_else(
    postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads the timelines in an open transaction: the rebuild lets go after a moment and tries again, events are
    appended between its tries, and it is done when he is. Tried in vain, it says so and leaves all as it was."""
    monkeypatch.setattr("sql.rebuild.PAUSE", 0.2)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 10))
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as reader:
            await reader.execute("SELECT count(*) FROM threadline.interactions")
            monkeypatch.setattr("sql.rebuild.TRIES", 1)
            with pytest.raises(RebuildError, match="in use"):
                await rebuild(postgres_dsn.owner)
            monkeypatch.setattr("sql.rebuild.TRIES", 20)
            rebuilding = asyncio.create_task(rebuild(postgres_dsn.owner))
            await asyncio.sleep(0.2)
            await store.append(sent(10, 20))
        assert await rebuilding == 20
    assert len(await read(postgres_dsn.owner, TABLES["interactions"])) == 20


async def test_progress_is_shown(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each chunk: events tied or folded, and how many there are; the last is all of them."""
    monkeypatch.setattr("sql.folding.CHUNK", 10)
    progress: list[tuple[str, int, int]] = []
    note: Progress = lambda what, done, total: progress.append((what, done, total))  # noqa: E731
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 25))
    await rebuild(postgres_dsn.owner, note)

    chunks = [(what, done, 25) for what in ("tied", "folded") for done in (10, 20, 25)]
    assert progress == [*chunks, ("folded", 25, 25)]


async def test_the_command_says_what_it_did(postgres_dsn: Dsns) -> None:
    """`threadline rebuild` with nothing but the owner's URI: plain lines where no terminal is; refused, a message and 1."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 25))
    environment = {**os.environ, "THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner}
    command = (sys.executable, "-m", "app.cli", "rebuild")
    pipe = asyncio.subprocess.PIPE

    async def run() -> tuple[int | None, str, str]:
        child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        out, err = await child.communicate()
        return child.returncode, out.decode(), err.decode()

    code, out, err = await run()
    assert (code, err) == (0, "")
    assert out.startswith("Rebuilt from 25 events in "), out

    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute(statement("rebuild_lock"))
        code, out, err = await run()
    assert (code, out) == (1, "")
    assert "under way" in err


async def test_the_command_draws_a_bar_on_a_terminal(postgres_dsn: Dsns) -> None:
    """With the events done, all of them, and how many a second."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(sent(0, 25))
    terminal = Console(file=StringIO(), force_terminal=True, width=100)

    assert await asyncio.to_thread(draw_bar, postgres_dsn.owner, terminal) == 25
    assert isinstance(terminal.file, StringIO)
    drawn = terminal.file.getvalue()
    assert "25/25" in drawn
    assert "events/s" in drawn
