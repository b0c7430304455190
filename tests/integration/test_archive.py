"""The archive against a real PostgreSQL: months as Parquet, killed between every two steps, restored, read by DuckDB, and what the log
still does without them."""

import asyncio
import errno
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from adapters.signing.sigv4 import Credentials
from app.archive import InBucket, InFolder
from schemas.events import Event, Handle
from sql import EventStore, Row
from sql.archive import ArchiveError
from sql.rebuild import MonthsMissing, rebuild
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.test_rebuild import read, tables
from tests.support.keys import SEAL
from tests.support.s3 import BUCKET, InMemory
from webhooks.blobs.bucket import Bucket

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
duckdb = pytest.importorskip("duckdb")

from sql.archive import parquet  # noqa: E402
from sql.archive.months import Archive  # noqa: E402

START = datetime(2025, 3, 1, tzinfo=UTC)
MARCH, APRIL = date(2025, 3, 1), date(2025, 4, 1)
EVENTS = "SELECT to_jsonb(e) FROM threadline.events e ORDER BY xid, position"
RELAYED = (
    "INSERT INTO threadline.relay_cursor (xid, position) SELECT max(xid), max(position) FROM threadline.events "
    "ON CONFLICT (only_one) DO UPDATE SET xid = excluded.xid, position = excluded.position"
)
#: As if they had been recorded a year before: the owner moves rows of the log, which nothing of Threadline may.
MOVED = """
SET search_path = threadline; SET ROLE threadline_owner;
SELECT make_event_partition('2025-03-01'), make_event_partition('2025-04-01');
ALTER TABLE events DISABLE TRIGGER events_announced;
WITH old AS (DELETE FROM events RETURNING *), at AS (
    SELECT position, '2025-03-27 12:00+00'::timestamptz + make_interval(hours => row_number() OVER (ORDER BY position)::int) AS at FROM old
), ids AS (UPDATE event_ids AS i SET recorded_at = at.at FROM at WHERE at.position = i.position), fresh AS (
    SELECT jsonb_populate_record(NULL::events, to_jsonb(old) || jsonb_build_object('recorded_at', at.at)) AS e
    FROM old JOIN at USING (position)
)
INSERT INTO events SELECT (e).* FROM fresh;
ALTER TABLE events ENABLE TRIGGER events_announced;
"""


def row_of(type: str, number: int, provider: str | None, ours: str | None = None, **more: Any) -> Row:
    """An event of a message, with all that CSV or Parquet could get wrong in its payload."""
    text = ["", 'a "quote", and\na line\r\n', "\\N", "naïve 🎈", "\u2028"][number % 5]
    at = None if number % 3 else datetime(1 + number % 9998, 1, 1, tzinfo=UTC)
    event = Event(
        type, "twilio", f"{type}-{number}", channel="sms", direction="outbound", provider_message_id=provider, message_id=ours,
        handle=Handle("phone", f"+1555{number % 3 + 1:07d}"), occurred_at=at, payload={"content": {"text": text}, **more},
    )  # fmt: skip
    return (event, "default", START + timedelta(seconds=number), None)


def log_of(first: int, after: int) -> list[Row]:
    """Messages that are requested, sent and delivered, so that links are among them."""
    return [
        row
        for n in range(first, after)
        for row in (
            row_of("MessageRequested", n, None, f"m{n}"),
            row_of("MessageQueued", n, f"p{n}", f"m{n}"),
            row_of("MessageDelivered", n, f"p{n}"),
            row_of("MessageReceived", n, None),
        )
    ]


async def execute(dsn: str, text: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(text)


async def old_log(store: EventStore, owner: str) -> None:
    """Append 240 events of March and April of last year, of which all were relayed, and 40 of now."""
    await store.append(log_of(0, 60))
    await execute(owner, MOVED)
    await store.append(log_of(60, 70))
    await execute(owner, RELAYED)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 50 events, in row groups of some."""
    monkeypatch.setattr("sql.archive.months.PART", 50)
    monkeypatch.setattr("sql.archive.parquet.GROUP", 5_000)
    monkeypatch.setattr("sql.archive.parquet.READ", 7)


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InFolder | InBucket]:
    """Both kinds of stores."""
    if request.param == "folder":
        yield InFolder(tmp_path / "archive")
        return
    http = httpx.Client(transport=httpx.MockTransport(InMemory()))
    credentials = Credentials("AKIDEXAMPLE", "secret", "us-east-1", "s3")
    bucket = Bucket(BUCKET, f"http://store.test/{BUCKET}", "in/", credentials, http)
    yield InBucket(bucket)
    bucket.close()


async def test_a_month_goes_and_comes_back_byte_for_byte(postgres_dsn: Dsns, files: InFolder | InBucket) -> None:
    """The old months leave the database and nothing else does; restored, every column of every row is as it was."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    whole, projected = await read(postgres_dsn.owner, EVENTS), await tables(postgres_dsn.owner)
    noted: list[str] = []

    def archived() -> None:
        with Archive.open(postgres_dsn.owner, files, lambda month, done: noted.append(f"{month:%m} {done}")) as archive:
            archive.archive(2)
            assert {(m.month, m.name) for m in archive.months(2) if m.files} == {(MARCH, None), (APRIL, None)}

    await asyncio.to_thread(archived)
    assert await read(postgres_dsn.owner, EVENTS) == whole[240:]
    assert "03 wrote 2025-03/00001.parquet: 50 events" in noted
    assert noted.index("03 dropped") > noted.index("03 detached") > noted.index("03 read 2025-03/00003.parquet back")
    assert await tables(postgres_dsn.owner) == projected
    with pytest.raises(MonthsMissing, match="2025-03, 2025-04"):
        await rebuild(postgres_dsn.owner)

    def restored() -> None:
        with Archive.open(postgres_dsn.owner, files) as archive:
            archive.restore(MARCH)
            archive.restore(APRIL)

    await asyncio.to_thread(restored)
    assert await read(postgres_dsn.owner, EVENTS) == whole
    assert await rebuild(postgres_dsn.owner, processes=2) == 280
    assert await tables(postgres_dsn.owner) == projected
    await asyncio.to_thread(archived)
    assert await read(postgres_dsn.owner, EVENTS) == whole[240:]


async def test_duckdb_reads_the_archive(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Without Threadline: the types, the texts, and the sums that the database had."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    old = "SELECT count(*) || ' ' || sum(position) || ' ' || max(recorded_at AT TIME ZONE 'UTC') FROM threadline.events WHERE recorded_at < '2026-01-01'"
    texts = (
        "SELECT payload #>> '{content,text}' FROM threadline.events WHERE recorded_at < '2026-01-01' ORDER BY position"
    )
    expected = await read(postgres_dsn.owner, old), await read(postgres_dsn.owner, texts)

    def archived() -> None:
        with Archive.open(postgres_dsn.owner, InFolder(tmp_path)) as archive:
            archive.archive(2)

    await asyncio.to_thread(archived)
    with duckdb.connect() as db:
        db.execute("SET timezone = 'UTC'")
        table = f"read_parquet('{tmp_path}/*/*.parquet')"
        sums = db.execute(
            f"SELECT count(*) || ' ' || sum(position) || ' ' || max(recorded_at::timestamp) FROM {table}"
        ).fetchall()
        found = db.execute(f"SELECT payload ->> '$.content.text' FROM {table} ORDER BY position").fetchall()
        types = dict(db.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {table})").fetchall())
    assert ([row[0] for row in sums], [row[0] for row in found]) == expected
    assert (types["recorded_at"], types["position"], types["payload"]) == (
        "TIMESTAMP WITH TIME ZONE",
        "BIGINT",
        "VARCHAR",
    )


async def test_twice_is_once_for_archived_events(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A redelivery of an archived event adds nothing, however late. What says something else under its id is kept, once, and
    joined to nobody's."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
        projected = await tables(postgres_dsn.owner)

        def archived() -> None:
            with Archive.open(postgres_dsn.owner, InFolder(tmp_path)) as archive:
                archive.archive(2)

        await asyncio.to_thread(archived)
        (handle,) = await store.customer_of("default", "phone", "+15550000001")
        page = await store.timeline("default", handle["customer_id"], limit=200)
        assert {len(await store.history("default", one["id"])) for one in page} == {0, 1, 3}
        assert await store.archived_months(page[-1]["timestamp"]) == ["2025-03", "2025-04"]
        assert await store.archived_months(datetime(2025, 4, 9, tzinfo=UTC)) == ["2025-04"]
        assert await store.archived_months(datetime(2025, 5, 1, tzinfo=UTC)) == []
        for _ in range(2):
            assert (await store.append(log_of(0, 70))).appended == 0
        assert await tables(postgres_dsn.owner) == projected
        other = row_of("MessageReceived", 7, None, note="another")
        assert [(await store.append([other])).appended for _ in range(3)] == [1, 0, 0]
        (live,) = await read(
            postgres_dsn.owner, "SELECT count(*) FROM threadline.interactions WHERE received_at IS NOT NULL"
        )
        assert live == 71
    assert await read(postgres_dsn.owner, "SELECT identity FROM threadline.events WHERE payload ? 'note'") == [None]


async def test_what_is_not_relayed_or_is_owed_stays(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A month stays while the relay has not passed it, and while a callback is owed an event of it; and the reason is said."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    whole = await read(postgres_dsn.owner, EVENTS)
    noted: list[str] = []

    def archived() -> None:
        with Archive.open(postgres_dsn.owner, InFolder(tmp_path), lambda month, done: noted.append(done)) as archive:
            archive.archive(2)

    await execute(postgres_dsn.owner, "UPDATE threadline.relay_cursor SET xid = 0")
    await asyncio.to_thread(archived)
    assert noted == ["stays: events of it were not relayed yet"] * 2
    await execute(postgres_dsn.owner, RELAYED)
    await execute(
        postgres_dsn.owner,
        "INSERT INTO threadline.deliveries (event_id, xid, position, client_id, message_id, recorded_at) "
        "SELECT id, xid, position, client_id, 'm', recorded_at FROM threadline.events ORDER BY recorded_at LIMIT 1",
    )
    noted.clear()
    await asyncio.to_thread(archived)
    assert noted[0] == "stays: callbacks are owed events of it"
    assert await read(postgres_dsn.owner, EVENTS) == [
        row for row in whole if not "2025-04" <= row["recorded_at"] < "2025-05"
    ]


async def test_a_changed_file_is_noticed_before_anything_is_dropped(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Bytes changed on disk, a file gone, a file of fewer events: the month stays, and it is said which file it is."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    whole = await read(postgres_dsn.owner, EVENTS)

    class Faulty(InFolder):
        """Damages the second file after it was stored."""

        def put(self, name: str, file: Path) -> None:
            super().put(name, file)
            stored = tmp_path / name
            if name.endswith("00002.parquet"):
                content = bytearray(stored.read_bytes())
                content[len(content) // 3] ^= 1
                stored.write_bytes(content)

    def archived() -> None:
        with Archive.open(postgres_dsn.owner, Faulty(tmp_path)) as archive:
            archive.archive(2)

    with pytest.raises(ArchiveError, match=r"2025-03/00002\.parquet"):
        await asyncio.to_thread(archived)
    (tmp_path / "2025-03" / "00002.parquet").unlink()
    with pytest.raises(ArchiveError, match=r"2025-03/00002\.parquet cannot be read"):
        await asyncio.to_thread(archived)
    (tmp_path / "2025-03" / "00002.parquet").write_bytes((tmp_path / "2025-03" / "00001.parquet").read_bytes())
    with pytest.raises(ArchiveError, match=r"2025-03/00002\.parquet is not what was written"):
        await asyncio.to_thread(archived)
    assert await read(postgres_dsn.owner, EVENTS) == whole


KILLED = """
import sys
from pathlib import Path
import psycopg
from app.archive import InFolder
from sql.archive import months
from tests.support.killed import kill_before
months.PART = 50
kill_before(
    int(sys.argv[2]), (psycopg.Connection, ["execute"]), (psycopg.Cursor, ["copy"]), (InFolder, ["put", "get"])
)
with months.Archive.open(sys.stdin.readline(), InFolder(Path(sys.argv[1]))) as archive:
    archive.archive(2)
print("done")
"""


async def test_killed_between_every_two_steps(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """kill -9 before each statement and each transfer in turn, each run a step further than the one before: never is an event in
    neither of the two places, and at the end all are in the archive once."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    ids = "SELECT id::text FROM threadline.events ORDER BY position"
    whole = await read(postgres_dsn.owner, ids)
    pipe = asyncio.subprocess.PIPE
    for step in range(3, 200):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", KILLED, str(tmp_path), str(step)), stdin=pipe, stdout=pipe, stderr=pipe
        )
        out, err = await child.communicate(postgres_dsn.owner.encode())
        tables_there = await read(
            postgres_dsn.owner,
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relname ~ '^events_2025' AND relkind = 'r'",
        )
        kept = await read(postgres_dsn.owner, ids)
        for month in ("202503", "202504"):
            if f"events_{month}" in tables_there:  # attached or not
                kept += await read(postgres_dsn.owner, f"SELECT id::text FROM threadline.events_{month}")
            else:
                kept += _archived(tmp_path, f"{month[:4]}-{month[4:]}")
        assert set(kept) == set(whole)
        if child.returncode != -signal.SIGKILL:
            break
    assert (out, err) == (b"done\n", b"")
    archived = _archived(tmp_path, "*")
    assert len(archived) == len(set(archived)) == 240
    assert await read(postgres_dsn.owner, ids) == whole[240:]


def _archived(folder: Path, month: str) -> list[str]:
    """The ids of the events in the files."""
    with duckdb.connect() as db:
        return [row[0] for row in db.execute(f"SELECT id FROM read_parquet('{folder}/{month}/*.parquet')").fetchall()]


async def test_a_full_disk_is_said_and_loses_nothing(
    postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the archive is, of which no half of a file stays, and where the temporary files are."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    whole = await read(postgres_dsn.owner, EVENTS)
    environment = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner}
    environment["THREADLINE_ARCHIVE__AFTER_MONTHS"] = "2"

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    for where in ("shutil.copyfileobj", "sql.archive.months.write"):
        with monkeypatch.context() as patched:
            patched.setattr(where, full)
            ran = await command("archive", "--run", environment=environment)
        assert ran.code == 1 and "nothing is lost" in ran.err and "No space left" in ran.err
        assert not [file for file in (tmp_path / "archive").rglob("*") if file.is_file()]
        assert await read(postgres_dsn.owner, EVENTS) == whole


async def test_the_command(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Lists, archives what is due, brings a month back; a rebuild reads both and leaves the archive as it was."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await old_log(store, postgres_dsn.owner)
    projected = await tables(postgres_dsn.owner)
    environment = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner}
    never = await command("archive", "--run", environment=environment)
    assert (never.code, "after_months" in never.err) == (1, True)
    environment["THREADLINE_ARCHIVE__AFTER_MONTHS"] = "2"
    listed = await command("archive", environment=environment)
    assert "the database, due" in listed.out
    ran = await command("archive", "--run", environment=environment)
    assert (ran.code, "2025-03 dropped" in ran.err) == (0, True)
    assert (tmp_path / "archive" / "2025-03" / "00001.parquet").is_file()

    rebuilt = await command("rebuild", "--processes", "2", environment=environment)
    assert (rebuilt.code, "Rebuilt from 280 events" in rebuilt.out) == (0, True)
    assert await tables(postgres_dsn.owner) == projected
    assert len(await read(postgres_dsn.owner, EVENTS)) == 40

    for month in ("2020-01", "2031-01"):
        none = await command("archive", "--restore", month, environment=environment)
        assert (none.code, f"no files of {month}" in none.err) == (1, True)
    assert "20-01" not in (await command("archive", environment=environment)).out
    back = await command("archive", "--restore", "2025-04", environment=environment)
    assert (back.code, "2025-04 restored" in back.err) == (0, True)
    assert "the database and the archive" in (await command("archive", environment=environment)).out


def test_csv_of_parquet_is_that_of_the_database(tmp_path: Path) -> None:
    """NULL and the empty text, quotes, lines, the ends of the integers and of time: the same bytes come back."""
    rows = [
        b'"0001-01-01 00:00:00.000000","1","","a ""q"" \n x","-9223372036854775808","7"\n',
        b'"9999-12-31 23:59:59.999999",,,"{}","5","9223372036854775807"\n',
    ]
    columns = {
        "t": "timestamp with time zone",
        "n": "smallint",
        "s": "text",
        "j": "jsonb",
        "xid": "bigint",
        "position": "bigint",
    }
    file = tmp_path / "one.parquet"
    written = parquet.write(iter(rows * 9), columns, file)
    assert (written.events, written.last_xid, written.last_position) == (18, 5, 9223372036854775807)
    assert b"".join(parquet.read(file)) == b"".join(rows * 9)
    assert parquet.digest_of(file) == written.digest
    assert parquet.columns_of(file) == list(columns)
