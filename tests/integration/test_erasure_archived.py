"""Erasure of a customer of whom the archive has months: its files are written anew, and read by DuckDB afterwards."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from adapters.signing.sigv4 import Credentials
from app.archive import InBucket, InFolder
from app.erasing.steps import Eraser, Waits
from schemas.events import Error, Event, Handle
from sql import EventStore, Row
from sql.archive.months import Archive
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import settings
from tests.integration.test_archive import APRIL, MARCH, MOVED, RELAYED, START, execute, log_of
from tests.integration.test_erasure_shared import BY
from tests.integration.test_rebuild import read, tables
from tests.support.keys import SEAL
from tests.support.opened import opened
from tests.support.s3 import BUCKET, InMemory
from webhooks.blobs.bucket import Bucket

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
duckdb = pytest.importorskip("duckdb")

WHOSE = Handle("phone", "+15550000001")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 50 events, of which some are read at once."""
    monkeypatch.setattr("sql.archive.months.PART", 50)
    monkeypatch.setattr("sql.archive.emptying.READ", 7)


def alone(type: str, handle: Handle) -> Row:
    """An event that belongs to no interaction."""
    payload = {"basis": "keyword", "note": "mine"} if type == "RecipientUnsubscribed" else {"native": {"note": "mine"}}
    event = Event(type, "twilio", f"{type} of {handle.value}", channel="sms", handle=handle, payload=payload)
    return (event, "default", START, None)


async def archived(store: EventStore, dsns: Dsns, files: InFolder | InBucket, who: Handle = WHOSE) -> tuple[UUID, UUID]:
    """Archive two old months with three customers; return one of them and the only handle of that one."""
    await store.append([alone("RecipientUnsubscribed", who), alone("ProviderEventReceived", who)])
    await store.append([*log_of(0, 60), alone("ProviderEventReceived", Handle("phone", "+15550000003"))])
    await execute(dsns.owner, MOVED)
    await store.append(log_of(60, 70))
    await execute(dsns.owner, RELAYED)
    (found,) = await store.customer_of("default", who.kind, who.value)

    def work() -> None:
        with Archive.open(dsns.owner, files) as archive:
            archive.archive(2)

    await asyncio.to_thread(work)
    return found["customer_id"], found["id"]


def rows_of(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of all files in a folder by their positions."""
    with duckdb.connect() as db:
        db.execute("SET timezone = 'UTC'")
        result = db.execute(f"SELECT * FROM read_parquet('{folder}/*/*.parquet') ORDER BY position")
        names = [each[0] for each in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["position"]: row for row in rows}


async def asked(store: EventStore, whose: UUID) -> UUID:
    """Request the erasure."""
    id = await store.request_erasure("default", whose, "asked for it")
    assert id is not None
    return id


def check(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]], handle: UUID) -> int:
    """Check that all events of the handle are emptied, and all others as they were; return how many were emptied."""
    assert before.keys() == after.keys()
    # Those of its messages that name no handle are its too: they are known by their interaction.
    theirs = {row["reference"] for row in before.values() if row["handle_id"] == str(handle)} - {None}
    emptied = 0
    for place, row in before.items():
        now = after[place]
        if row["handle_id"] != str(handle) and row["reference"] not in theirs:
            assert now == row
            continue
        emptied += 1
        assert now["payload"] == "{}" and now["source_event_id"] == f"erased {row['id']}"
        assert [now[name] for name in ("provider_message_id", "message_id", "webhook_id", "webhook_block")] == [
            None
        ] * 4
        same = ("id", "type", "channel", "occurred_at", "received_at", "recorded_at", "reference", "handle_id", "xid")
        assert [now[name] for name in same] == [row[name] for name in same]
    return emptied


async def test_the_files_are_written_anew(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Nothing of the customer is left in them, everything of others is; they are restored, and a rebuild gives what there is."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, handle = await archived(store, postgres_dsn, InFolder(folder))
        before, old = rows_of(folder), set(folder.rglob("*.parquet"))
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, whose))
        emptied = check(before, rows_of(folder), handle)
        assert emptied > 80 and done["receipt"]["archive"] == {"files": 6, "rewritten": 6, "events": emptied}
        new = {each for each in folder.rglob("*") if each.is_file()}
        assert len(new) == 6 and not new & old
        for _ in range(2):
            # What comes again of the archived months is known, though the address has a new handle.
            again = [alone("RecipientUnsubscribed", WHOSE), alone("ProviderEventReceived", WHOSE), *log_of(0, 60)]
            assert (await store.append(again)).appended == 0

    def restored() -> None:
        with Archive.open(postgres_dsn.owner, InFolder(folder)) as archive:
            archive.restore(MARCH)
            archive.restore(APRIL)

    live = await tables(postgres_dsn.owner)
    await asyncio.to_thread(restored)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == live
    # The database's own function finds nothing more to be emptied in what was restored.
    left = f"SELECT count(*) FROM threadline.events WHERE handle_id = '{handle}' AND source_event_id <> 'erased ' || id AND recorded_at < '2026-01-01'"
    assert await read(postgres_dsn.owner, left) == [0]


async def test_who_had_the_number_before(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Of a number that has a new owner, only what the erased one said is emptied, and his events no longer name the number; an opt-out
    keeps it with its basis."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, handle = await archived(store, postgres_dsn, InFolder(folder), Handle("phone", "+15550000002"))
        await store.unlink_handle("default", whose, handle, START + timedelta(seconds=31), BY)
        gone = {each["id"] for each in await store.timeline("default", whose, limit=200)}
        before = rows_of(folder)
        await Eraser(store, settings(tmp_path)).run(await asked(store, whose))
        after = rows_of(folder)
    changed = {place for place in before if before[place] != after[place]}
    theirs = {place for place, row in before.items() if row["handle_id"] == str(handle)}
    assert gone and changed and theirs - changed
    at = {place: min(row["occurred_at"] or row["received_at"], row["received_at"]) for place, row in before.items()}
    alone_then = {place for place in theirs if before[place]["reference"] is None}
    assert alone_then <= changed and len(alone_then) == 2
    for place in changed:
        row = after[place]
        if row["type"] == "RecipientUnsubscribed":
            assert (row["payload"], row["handle_id"]) == ('{"basis": "keyword"}', str(handle))
        else:
            assert (row["payload"], row["handle_id"], row["handle_kind"]) == ("{}", None, None)
    assert max(at[place] for place in changed) < START + timedelta(seconds=120)


async def test_a_file_is_read_as_often_as_there_is_reason(
    postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once where the archive has nothing of a customer; else twice, and again only what is written anew, with its reading back."""
    folder, read_files = tmp_path / "archive", Counter[str]()
    late, early = Handle("phone", "+15550000077"), Handle("phone", "+15550000078")
    real = InFolder.get

    def get(self: InFolder, name: str, into: Path) -> None:
        read_files[name] += 1
        real(self, name, into)

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([alone("ProviderEventReceived", early)])
        await store.append(
            [
                (Event("MessageReceived", "twilio", "e", channel="sms", handle=early, provider_message_id="pe",
                       payload={"content": {"text": "mine"}}), "default", START, None)
            ]
        )  # fmt: skip
        await archived(store, postgres_dsn, InFolder(folder))
        await store.append([alone("ProviderEventReceived", late)])
        names = {str(file.relative_to(folder)) for file in folder.rglob("*.parquet")}
        monkeypatch.setattr(InFolder, "get", get)
        for who, times in ((late, 1), (early, 2)):
            read_files.clear()
            (found,) = await store.customer_of("default", who.kind, who.value)
            done = await Eraser(store, settings(tmp_path)).run(await asked(store, found["customer_id"]))
            anew = {name for name in names if not (folder / name).exists()}
            assert len(anew) == done["receipt"]["archive"]["rewritten"] == (who == early)
            assert {name: read_files[name] for name in names} == {name: times + (name in anew) for name in names}


async def test_an_opt_out_of_a_list_is_no_opt_out_of_all(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Of an address that has a new owner: emptied, in the log or in the archive, it still says so, and a rebuild makes no consent of it."""
    number, folder = Handle("phone", "+15550000002"), tmp_path / "archive"
    row: Row = (
        Event("RecipientUnsubscribed", "twilio", "list", channel="sms", handle=number, payload={"list": "news", "note": "x"}),
        "default", START, None,
    )  # fmt: skip
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([row])
        whose, handle = await archived(store, postgres_dsn, InFolder(folder), number)
        again = (replace(row[0], source_event_id="again"), *row[1:])
        await store.append([again])
        await store.unlink_handle("default", whose, handle, datetime.now(UTC), BY)
        await Eraser(store, settings(tmp_path)).run(await asked(store, whose))
    live = await tables(postgres_dsn.owner)

    def restored() -> None:
        with Archive.open(postgres_dsn.owner, InFolder(folder)) as archive:
            archive.restore(MARCH)
            archive.restore(APRIL)

    await asyncio.to_thread(restored)
    kept = await read(postgres_dsn.owner, "SELECT payload FROM threadline.events WHERE payload ? 'list'")
    assert kept == [{"list": "news"}, {"list": "news"}]
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == live


@pytest.fixture
def bucket() -> Iterator[InBucket]:
    """A bucket in memory."""
    http = httpx.Client(transport=httpx.MockTransport(InMemory()))
    made = Bucket(
        BUCKET, f"http://store.test/{BUCKET}", "in/", Credentials("AKIDEXAMPLE", "secret", "us-east-1", "s3"), http
    )
    yield InBucket(made)
    made.close()


async def test_a_bucket(postgres_dsn: Dsns, tmp_path: Path, bucket: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are written anew, and the former ones deleted."""
    monkeypatch.setattr("app.erasing.archived.files_of", lambda _: bucket)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, handle = await archived(store, postgres_dsn, bucket)
        old = await read(postgres_dsn.owner, "SELECT file FROM threadline.archive_files ORDER BY month, part")
        await Eraser(store, settings(tmp_path)).run(await asked(store, whose))
    new = await read(postgres_dsn.owner, "SELECT file FROM threadline.archive_files ORDER BY month, part")
    assert len(new) == 6 and not set(new) & set(old)
    for number, name in enumerate(new):
        (tmp_path / "2025-03").mkdir(exist_ok=True)
        bucket.get(name, tmp_path / "2025-03" / f"{number}.parquet")
    rows = [row for row in rows_of(tmp_path).values() if row["handle_id"] == str(handle)]
    assert rows and {row["payload"] for row in rows} == {"{}"}
    for name in old:
        with pytest.raises(Exception, match="cannot be fetched"):
            bucket.get(name, tmp_path / "gone")


async def test_it_waits_for_an_archive_that_is_away(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """It stays open and says why; whoever comes next goes on once the files are there. A changed file is not taken for the one that
    was written."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, handle = await archived(store, postgres_dsn, InFolder(folder))
        before = rows_of(folder)
        id = await asked(store, whose)
        folder.rename(tmp_path / "away")
        for _ in range(2):
            with pytest.raises(Waits, match="cannot be read: No such file"):
                await Eraser(store, settings(tmp_path)).run(id)
        stood = await store.erasure(id)
        assert stood is not None and (stood["state"], stood["receipt"]) == ("purged", None)
        assert "cannot be read" in stood["waits"] and [row["waits"] for row in await store.erasures("default")] == [
            stood["waits"]
        ]
        (tmp_path / "away").rename(folder)
        part = next(folder.rglob("00002.parquet"))
        whole = part.read_bytes()
        part.write_bytes(whole[:-9] + b"x" + whole[-8:])
        with pytest.raises(Waits, match="not what was written"):
            await Eraser(store, settings(tmp_path)).run(id)
        part.write_bytes(whole)
        async with store.archive_alone() as mine:
            assert mine
            async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other:
                with pytest.raises(Waits, match="under way"):
                    await Eraser(other, settings(tmp_path)).run(id)
        done = await Eraser(store, settings(tmp_path)).run(id)
        assert (done["state"], done["waits"]) == ("completed", None)
        check(before, rows_of(folder), handle)


_CHILD = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from app.archive import InFolder
from app.erasing.steps import Eraser
from sql import EventStore
from tests.integration.erasures import settings
from tests.support.keys import SEAL
from tests.support.killed import kill_before

dsn, id, step, folder = sys.argv[1:]
kill_before(
    int(step), (InFolder, ["put", "get", "remove"]), (EventStore, ["swap_file", "removed_file", "end_step"])
)

async def main():
    async with await EventStore.open(dsn, SEAL, pool=2) as store:
        await Eraser(store, settings(Path(folder))).run(UUID(id))
    print("done")

asyncio.run(main())
"""


async def test_killed_between_every_two_steps(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """kill -9 before each transfer and each note in turn: the database always names files that are whole, and in the end there is no
    other and nothing of the customer."""
    folder, pipe = tmp_path / "archive", asyncio.subprocess.PIPE
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, handle = await archived(store, postgres_dsn, InFolder(folder))
        before = rows_of(folder)
        id = await asked(store, whose)
        for step in range(50):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _CHILD, postgres_dsn.service, str(id), str(step), str(tmp_path)),
                stdout=pipe,
                stderr=pipe,
            )
            out, err = await child.communicate()
            for name in await read(postgres_dsn.owner, "SELECT file FROM threadline.archive_files"):
                assert (folder / name).is_file()
            if child.returncode != -signal.SIGKILL:
                break
        assert (out, err, step > 4) == (b"done\n", b"", True)
        check(before, rows_of(folder), handle)
        assert len(list(folder.rglob("*.parquet"))) == 6 and await store.files_to_remove() == []


SECRET, NEWER = "what the first owner said", "what the second one says"


async def owners(store: EventStore, dsns: Dsns, folder: Path) -> UUID:
    """Archive what two owners of a number said, and reports without a recipient on it; return the first owner."""
    who = Handle("phone", "+15550000002")

    def row(n: int, type: str, **more: Any) -> Row:
        at = START + timedelta(seconds=n)
        event = Event(type, "twilio", f"{type} {n}", channel="sms", provider_message_id=f"x{n}", occurred_at=at, **more)
        return (event, "default", at, None)

    for first, text in ((1, SECRET), (100, NEWER)):
        await store.append(
            [
                row(n, "MessageReceived", handle=who, payload={"content": {"text": text}})
                for n in range(first, first + 3)
            ]
        )
    failed = Error("30003", f"{who.value}: {SECRET}", "unreachable")
    await store.append([row(n, "MessageFailed", error=failed) for n in range(1, 4)])
    await execute(dsns.owner, MOVED)
    await store.append(log_of(60, 62))
    await execute(dsns.owner, RELAYED)
    (found,) = await store.customer_of("default", who.kind, who.value)
    await asyncio.to_thread(in_archive, dsns, folder, lambda archive: archive.archive(2))
    await store.unlink_handle("default", found["customer_id"], found["id"], START + timedelta(seconds=50), BY)
    first_owner: UUID = found["customer_id"]
    return first_owner


def in_archive(dsns: Dsns, folder: Path, work: Callable[[Archive], Any]) -> None:
    """Do something with the archive in a folder."""
    with Archive.open(dsns.owner, InFolder(folder)) as archive:
        work(archive)


async def told(dsns: Dsns) -> str:
    """Return all that the log says and that can be opened."""
    return str(await opened(dsns.owner, "SELECT type, handle_id, payload, error FROM events"))


async def test_archived_events_whose_interactions_are_gone_are_emptied(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Retention by channel took the timeline before the erasure. Restored and rebuilt, nothing of the erased one is back, and the
    other's is."""
    folder, configured = tmp_path / "archive", {"channels": [{"channel": "sms", "account": "twilio"}]}
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        first = await owners(store, postgres_dsn, folder)
        await store.set_client("default", configured | {"retention": {"sms": 30}}, "test")
        await store.remove_expired({}, lambda *_: None, pause=0)
        assert await store.timeline("default", first) == []
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, first))
        assert done["receipt"]["archive"]["events"] == 6
        await store.set_client("default", configured, "test")
        await asyncio.to_thread(in_archive, postgres_dsn, folder, lambda archive: archive.restore(MARCH))
        await rebuild(postgres_dsn.owner)
        assert await store.timeline("default", first) == []
    text = await told(postgres_dsn)
    assert SECRET not in text and NEWER in text


async def test_a_month_that_is_restored_amid_an_erasure_is_emptied(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Between the emptying of the log and that of the files the month comes back as it was."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        first = await owners(store, postgres_dsn, folder)
        id, eraser = await asked(store, first), Eraser(store, settings(tmp_path))
        while (await eraser.advance(id))["state"] != "purged":
            pass
        await asyncio.to_thread(in_archive, postgres_dsn, folder, lambda archive: archive.restore(MARCH))
        assert SECRET in await told(postgres_dsn)
        done = await eraser.run(id)
    assert done["receipt"]["rows"]["eventsWithContent"]["after"] == 0
    text = await told(postgres_dsn)
    assert SECRET not in text and NEWER in text
