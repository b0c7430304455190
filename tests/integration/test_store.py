"""The store on real PostgreSQL: once is once, who may do what, what cannot be stored, raw webhooks, paging."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from schemas.events import Event, Handle
from sql import DATA_ERRORS, DeadLetter, EventStore, Row, Unstorable
from sql.migrate import MigrationError, migrate
from sql.rebuild import RebuildError, rebuild
from sql.statements import migrations, statement
from tests.conftest import Dsns

START = datetime(2026, 11, 21, tzinfo=UTC)


def received(number: int, client: str = "default", **payload: Any) -> Row:
    event = Event(
        "MessageReceived", "twilio", str(number), "sms", "inbound", f"p{number}",
        handle=Handle("phone", "+15550000001"), payload={"content": {"text": f"no. {number}"}, **payload},
    )  # fmt: skip
    return (event, client, START + timedelta(seconds=number), None)


async def scalar(dsn: str, query: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        row = await (await db.execute(query)).fetchone()
        return row and row[0]


async def test_twice_is_once(postgres_dsn: Dsns) -> None:
    """A batch told again, whole or in part, appends nothing."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        first = await store.append([received(n) for n in range(10)])
        again = await store.append([received(n) for n in range(5, 15)])

    assert (first.appended, first.duplicates) == (10, 0)
    assert (again.appended, again.duplicates) == (5, 5)
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == 15


async def test_clients_do_not_stand_in_each_others_way(postgres_dsn: Dsns) -> None:
    """The same source and event id of two clients are two events, two interactions, two customers."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        done = await store.append([received(1), received(1, "acme")])

    assert done.appended == 2
    assert await scalar(postgres_dsn.owner, "SELECT count(DISTINCT id) FROM threadline.interactions") == 2
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.customers") == 2


@pytest.mark.parametrize("act", ["UPDATE threadline.events SET type = 'x'", "DELETE FROM threadline.events", "TRUNCATE threadline.events", "DROP TABLE threadline.events", "DELETE FROM threadline.dead_letters", "UPDATE threadline.api_keys SET hash = ''"])  # fmt: skip
async def test_the_log_is_append_only_for_the_service(postgres_dsn: Dsns, act: str) -> None:
    """The role that the processes run as cannot change history, nor what was refused, nor a key's hash."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await db.execute(act)


async def test_privileges_survive_a_rebuild(postgres_dsn: Dsns) -> None:
    """After the swap the service may do what it could before, by the same indexes, and the view shows the new handles."""
    indexes = "SELECT array_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'threadline'"
    grants = "SELECT array_agg(relname || coalesce(relacl::text, '') || coalesce(reloptions::text, '') ORDER BY relname) FROM pg_class WHERE relnamespace = 'threadline'::regnamespace"
    before = [await scalar(postgres_dsn.owner, query) for query in (indexes, grants)]
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        await store.append([received(1)])
        await rebuild(postgres_dsn.owner)
        await store.append([received(2)])
        found = await store.customer_of("default", "phone", "+15550000001")

    assert len(found) == 1
    assert [await scalar(postgres_dsn.owner, query) for query in (indexes, grants)] == before
    assert await scalar(postgres_dsn.owner, "SELECT handles FROM threadline.customers") == 1


async def test_one_rebuild_at_a_time(postgres_dsn: Dsns) -> None:
    """The second is told so, and changes nothing."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute(statement("rebuild_lock"))
        with pytest.raises(RebuildError, match="under way"):
            await rebuild(postgres_dsn.owner)


async def test_a_rebuild_that_was_killed_leaves_the_live_tables_alone(postgres_dsn: Dsns) -> None:
    """What it left beside is cleared by the next."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        await store.append([received(n) for n in range(100)])

        def killed(done: int, total: int) -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await rebuild(postgres_dsn.owner, killed)
        assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.interactions") == 100
        assert await rebuild(postgres_dsn.owner) == 100


@pytest.mark.parametrize(
    "payload",
    [
        {"a": "x\x00y"},
        {"a": "\ud800"},
        {"\x00": 1},
        {"a": float("nan")},
        {"a": "x" * 1_000_000},
        {"a": -(2**63)},
        {"a": 1e308},
    ],
    ids=["nul", "surrogate", "nul in a key", "nan", "a megabyte", "least integer", "large float"],
)
async def test_odd_values_are_kept_as_far_as_json_has_them(postgres_dsn: Dsns, payload: dict[str, Any]) -> None:
    """What PostgreSQL's text cannot hold becomes U+FFFD; nothing of it fails the batch."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        assert (await store.append([received(1), received(2, **payload), received(3)])).appended == 3


async def test_what_cannot_be_stored_is_named(postgres_dsn: Dsns) -> None:
    """An integer beyond 64 bits: the error says which event, and the batch is not half there."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        with pytest.raises(Unstorable) as told:
            await store.append([received(1), received(2, a=2**70)])

    assert told.value.index == 1
    assert isinstance(told.value, DATA_ERRORS)
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == 0


@pytest.mark.parametrize("year", [1, 1970, 2100, 9999])
async def test_times_out_of_place_are_kept_and_bounded(postgres_dsn: Dsns, year: int) -> None:
    """The log has what the provider said; a fact is never later than our receipt of it."""
    row = received(1)
    row[0].occurred_at = datetime(year, 1, 1, tzinfo=UTC)
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        await store.append([row])
    at = await scalar(postgres_dsn.owner, "SELECT timestamp <= '2026-11-21 00:00:01+00' FROM threadline.interactions")

    assert at is True
    assert (
        await scalar(
            postgres_dsn.owner, "SELECT extract(year FROM occurred_at AT TIME ZONE 'UTC')::int FROM threadline.events"
        )
        == year
    )


async def test_raw_records_come_back_byte_for_byte(postgres_dsn: Dsns) -> None:
    """A block gives its records as they were; the events of the batch name it."""
    raw = [b"", b"\x00\xff" * 1000, b'{"id":"0193a5b0-0000-7000-8000-000000000001"}\nbody']
    event, client, at, _ = received(1)
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        await store.ensure_partitions(1)
        await store.append([(event, client, at, "0193a5b0-0000-7000-8000-000000000001")], raw)
        block = await scalar(postgres_dsn.owner, "SELECT webhook_block FROM threadline.events")

        assert await store.read_raw(block) == raw
        assert await store.read_raw(block, "0193a5b0-0000-7000-8000-000000000001") == raw[2:]


async def test_days_of_raw_webhooks_are_made_and_dropped(postgres_dsn: Dsns) -> None:
    """The days ahead are there, once; none of the kept ones is dropped."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        made = await store.ensure_partitions(2)

        assert len(made) == 3
        assert await store.ensure_partitions(2) == []
        assert await store.drop_partitions(1) == []


async def test_a_dead_letter_is_kept_once(postgres_dsn: Dsns) -> None:
    """The same record's letter again changes nothing; NUL in its reason is no obstacle."""
    letter = DeadLetter("t", 0, 7, "be\x00cause", detail={"a": float("nan"), "b": 2**80}, value=b"\x00")
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        for _ in range(2):
            await store.append([], [], [letter])
        (found,) = await store.dead_letters()

    assert found["reason"] == "be\ufffdcause"


async def test_migrations_from_empty_and_twice(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migrated database has nothing left to do; an edited migration is refused by its name."""
    assert await migrate(postgres_dsn.owner) == []

    edited = {**migrations(), "0001_events": b"SELECT 1"}
    monkeypatch.setattr("sql.migrate.migrations", lambda: edited)
    with pytest.raises(MigrationError, match="0001_events"):
        await migrate(postgres_dsn.owner)


async def test_the_timeline_is_read_by_its_index(postgres_dsn: Dsns) -> None:
    """A page of a customer reads the rows that it shows, not all that there are."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as store:
        await store.append([received(n) for n in range(3000)])
        (handle,) = await store.customer_of("default", "phone", "+15550000001")
    text = statement("timeline")
    given = {"client_id": "default", "customer_id": handle["customer_id"], "limit": 50}
    wanted = {name: given.get(name) for name in re.findall(r"%\((\w+)\)s", text.decode())}
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        await db.execute(statement("session"))
        plan = "\n".join(row[0] for row in await (await db.execute(b"EXPLAIN " + text, wanted)).fetchall())

    assert "interactions_timeline" in plan
