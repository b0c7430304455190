"""The chain of the audit on a real database: what is sealed, when, by how many workers, and what of it can be removed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest
import pytest_asyncio
from psycopg.errors import InsufficientPrivilege

from sql import EventStore
from sql.audit_chain import NOTHING, SIZE
from sql.audited import Entry
from sql.statements import statement
from tests.conftest import Dsns
from tests.integration.auditing import AT_ONCE, found, note, owner, write
from tests.support.keys import SEAL
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def test_entries_are_sealed_in_batches_that_are_chained(store: EventStore) -> None:
    """Each batch has the root of its entries and the head of the one before; what is there is found unchanged."""
    await write(store, 3)
    assert await store.seal_audit(AT_ONCE) == 3
    await write(store, 2)
    assert await store.seal_audit(AT_ONCE) == 2
    assert await store.seal_audit(AT_ONCE) == 0
    first, second = await store.audit_heads(0)
    assert (bytes(first["previous"]), bytes(second["previous"])) == (NOTHING, bytes(first["head"]))
    assert [(one["entries"], one["total"]) for one in (first, second)] == [(3, 3), (2, 5)]
    assert len(second["leaves"]) == 2 * SIZE
    assert await found(store) == []


async def test_a_batch_waits_for_its_minute_or_is_full(store: EventStore) -> None:
    """A few young entries wait; a thousand do not, and the rest waits for the next batch."""
    await write(store, 999)
    assert await store.seal_audit(timedelta(minutes=1)) == 0
    await write(store, 5)
    assert await store.seal_audit(timedelta(minutes=1)) == 1000
    assert await store.seal_audit(timedelta(minutes=1)) == 0
    assert await store.seal_audit(AT_ONCE) == 4


async def test_two_workers_seal_each_entry_once(store: EventStore) -> None:
    """They take turns by a lock, so that there is one chain, without a gap."""
    await write(store, 2500)
    sealed = 0
    while sealed < 2500:
        sealed += sum(await asyncio.gather(*(store.seal_audit(AT_ONCE) for _ in range(4))))
    assert sealed == 2500
    assert [head["batch"] for head in await store.audit_heads(0)] == [1, 2, 3]
    assert await found(store) == []


async def test_an_entry_whose_transaction_ends_late_is_sealed_later(store: EventStore, postgres_dsn: Dsns) -> None:
    """Its position lies before those that were sealed already; it is lost neither to the chain nor to its check. A
    position whose transaction was rolled back stays a hole."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as slow:
        await note(slow, "slow")
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as undone:
            await note(undone, "undone")
            await undone.rollback()
        await write(store, 2)
        assert await store.seal_audit(AT_ONCE) == 2
        assert await found(store) == []
        await slow.commit()
    assert await found(store) == []
    await write(store, 1)
    assert await store.seal_audit(AT_ONCE) == 2
    first, second = await store.audit_heads(0)
    assert (first["expected"], second["expected"]) == ([3, 4], [1, 5])
    assert await found(store) == []


async def test_a_worker_that_is_killed_while_it_seals_loses_nothing(store: EventStore, postgres_dsn: Dsns) -> None:
    """Its transaction ends with it, its batch and its lock too, and the next worker seals the same entries."""
    await write(store, 2)
    killed = await psycopg.AsyncConnection.connect(postgres_dsn.service)
    try:
        await killed.execute("SELECT pg_advisory_xact_lock(29796, 31)")
        await killed.execute(
            "INSERT INTO threadline.audit_heads (batch, previous, root, head, entries, total, first_position, last_position, "
            "sealed_at, after, upto, holes, late) VALUES (1, '', '', '', 2, 2, 1, 2, now(), 0, 2, '{}', '{}')"
        )
        assert await store.seal_audit(AT_ONCE) == 0
        pid = killed.info.backend_pid
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as other:
            await other.execute("SELECT pg_terminate_backend(%s)", [pid])
        await eventually(lambda: store.seal_audit(AT_ONCE))
    finally:
        await killed.close()
    assert [head["entries"] for head in await store.audit_heads(0)] == [2]
    assert await found(store) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE threadline.audit SET actor = 'nobody'",
        "DELETE FROM threadline.audit",
        "TRUNCATE threadline.audit",
        "INSERT INTO threadline.audit (actor, client_id, action, subject, at) VALUES ('a', '', 'x', '', now())",
        "UPDATE threadline.audit_heads SET entries = 1",
        "DELETE FROM threadline.audit_heads",
        "DELETE FROM threadline.audit_anchors",
        "UPDATE threadline.audit_anchors SET batch = 1",
    ],
)
async def test_the_service_cannot_change_what_is_written(
    store: EventStore, postgres_dsn: Dsns, statement: LiteralString
) -> None:
    """It may add and read, nothing else, and cannot state an entry's time."""
    await write(store, 1)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as connection:
        with pytest.raises(InsufficientPrivilege):
            await connection.execute(statement)


async def test_old_batches_are_forgotten_whole_and_leave_their_heads(store: EventStore, postgres_dsn: Dsns) -> None:
    """The chain is still found unbroken, and says from which batch on there are entries. What is younger than thirty
    days is not forgotten, whatever the setting. An entry tells of it."""
    for _ in range(3):
        await write(store, 2)
        await store.seal_audit(AT_ONCE)
    assert await store.forget_audit(0) == (0, 0)
    # As if the clock had moved: the heads cannot be rewritten to be older, as they hash their time.
    await owner(
        postgres_dsn,
        "CREATE OR REPLACE FUNCTION threadline.now() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "$$ SELECT pg_catalog.now() + interval '31 days' $$",
    )
    await owner(
        postgres_dsn, "ALTER FUNCTION threadline.forget_audit SET search_path = threadline, pg_catalog, pg_temp"
    )
    assert await store.forget_audit(365, 2) == (0, 0)
    assert await store.forget_audit(30, 2) == (2, 4)
    kept = await store.audit_exported({"client_id": None, "action": None, "since": None, "until": None}, 0)
    assert [row["action"] for row in kept] == ["message.read", "message.read", "entries.forget"]
    assert kept[-1]["detail"] == {"firstBatch": 1, "lastBatch": 2, "entries": 4}
    then = datetime.now(UTC) + timedelta(days=31)
    assert await found(store, now=then) == []
    assert await store.seal_audit(AT_ONCE) == 1
    assert await found(store, now=then) == []
    # Who does as if the rest had been forgotten too leaves no entry that says so.
    await owner(postgres_dsn, "UPDATE threadline.audit_heads SET forgotten_at = now(), leaves = NULL WHERE batch = 3")
    await owner(postgres_dsn, "DELETE FROM threadline.audit WHERE position <= 6")
    assert await found(store, now=then) == [
        "the entries up to batch 3 were removed, and no entry (entries.forget) tells of it"
    ]


async def test_an_entry_has_what_its_process_states(store: EventStore) -> None:
    """What a process states is kept as stated; position and time are the database's."""
    await store.record_audit([Entry("key:bff", "message.read", "shop", "m1", {"n": 1}, address="192.0.2.1")])
    (row,) = await store.audit_listed(client_id="shop")
    stated = ("actor", "action", "client_id", "subject", "detail", "address")
    assert [row[name] for name in stated] == ["key:bff", "message.read", "shop", "m1", {"n": 1}, "192.0.2.1"]
    assert await store.audit_listed(action="timeline.read") == []


async def test_a_look_does_not_read_what_is_sealed(postgres_dsn: Dsns) -> None:
    """Of a long audit a look for entries to seal reads those that are not sealed, also where positions of before are waited for."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await owner(
            postgres_dsn,
            "INSERT INTO threadline.audit (actor, client_id, action, subject) "
            "SELECT 'key:bff', 'shop', 'message.read', n::text FROM generate_series(1, 20000) AS n",
        )
        await owner(postgres_dsn, "DELETE FROM threadline.audit WHERE position = 5000")
        while await store.seal_audit(AT_ONCE):
            pass
        await write(store, 10)
    await owner(postgres_dsn, "ANALYZE threadline.audit")
    read = (
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'threadline.audit'::regclass"
    )
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        await db.execute("SET search_path = threadline")
        for look in (statement("audit_due"), statement("audit_unsealed")):
            await db.execute(look, {"limit": 1000, "waits": AT_ONCE})
        ((rows,),) = await (await db.execute(read)).fetchall()
    assert rows < 100
