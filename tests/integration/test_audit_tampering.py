"""An owner of the database tampers with the audit: what is noticed without an anchor, and what only with one."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
import pytest
import pytest_asyncio

from app.auditing.anchors import Anchor, anchor_of, line_of, new_key, private_key
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.auditing import AT_ONCE, found, owner, write
from tests.support.keys import SEAL

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """Three batches of three entries each."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as opened:
        for _ in range(3):
            await write(opened, 3)
            await opened.seal_audit(AT_ONCE)
        yield opened


async def anchor(store: EventStore) -> Anchor:
    """Return an anchor of the last batch, after its way through a file."""
    head, key = await store.audit_head(), private_key(new_key())
    assert head is not None
    line = line_of(Anchor(head["batch"], bytes(head["head"]), head["total"], NOON), key)
    return anchor_of(line, [key.public_key()])


ALTERED: dict[str, tuple[LiteralString, str]] = {
    "an entry altered": (
        "UPDATE threadline.audit SET actor = 'key:other' WHERE position = 5",
        "entry 5 of batch 2 was altered",
    ),
    "an entry's time altered": (
        "UPDATE threadline.audit SET at = at - interval '1 microsecond' WHERE position = 4",
        "entry 4 of batch 2 was altered",
    ),
    "empty text instead of nothing": (
        "UPDATE threadline.audit SET why = '' WHERE position = 9",
        "entry 9 of batch 3 was altered",
    ),
    "text moved between columns": (
        "UPDATE threadline.audit SET client_id = 'shopm', subject = '1' WHERE position = 5",
        "entry 5 of batch 2 was altered",
    ),
    "an entry deleted": ("DELETE FROM threadline.audit WHERE position = 5", "entry 5 of batch 2 is missing"),
    "the first entry deleted": ("DELETE FROM threadline.audit WHERE position = 1", "entry 1 of batch 1 is missing"),
    "the entries of the tail deleted": (
        "DELETE FROM threadline.audit WHERE position > 8",
        "entry 9 of batch 3 is missing",
    ),
    "two entries swapped": (
        "UPDATE threadline.audit AS a SET subject = b.subject, at = b.at FROM threadline.audit AS b "
        "WHERE (a.position, b.position) IN ((4, 6), (6, 4))",
        "entry 4 of batch 2 has what entry 6 had: they were reordered",
    ),
    "a batch deleted with its head": (
        "WITH gone AS (DELETE FROM threadline.audit_heads WHERE batch = 2) "
        "DELETE FROM threadline.audit WHERE position BETWEEN 4 AND 6",
        "batch 2 is missing (the next one is 3): it was deleted with its head",
    ),
    "a head altered": (
        "UPDATE threadline.audit_heads SET sealed_at = sealed_at - interval '1 day' WHERE batch = 1",
        "the head of batch 1 was altered",
    ),
    "a head's hash altered": (
        "UPDATE threadline.audit_heads SET head = sha256('') WHERE batch = 1",
        "the head of batch 1 was altered",
    ),
    "the hashes of entries altered": (
        "UPDATE threadline.audit_heads SET leaves = sha256('') || sha256('') || sha256('') WHERE batch = 2",
        "the hashes of the entries of batch 2 were altered",
    ),
    "an entry hidden as a hole": (
        "WITH gone AS (DELETE FROM threadline.audit WHERE position = 5) "
        "UPDATE threadline.audit_heads SET holes = '{[5,6)}' WHERE batch = 2",
        "the positions of batch 2 were altered",
    ),
    "entries marked as forgotten": (
        "UPDATE threadline.audit_heads SET forgotten_at = now() WHERE batch = 2",
        "the entries of batch 2 were removed, and those of older batches were not",
    ),
}


@pytest.mark.parametrize(("statement", "what"), ALTERED.values(), ids=ALTERED)
async def test_the_chain_alone_tells_of_it(
    store: EventStore, postgres_dsn: Dsns, statement: LiteralString, what: str
) -> None:
    """And the first finding names the entry or the batch."""
    assert await found(store) == []
    await owner(postgres_dsn, statement)
    assert (await found(store))[0] == what


async def test_an_inserted_entry_is_named(store: EventStore, postgres_dsn: Dsns) -> None:
    """Here before the first one, so that it would look as the oldest."""
    await owner(
        postgres_dsn,
        "INSERT INTO threadline.audit (position, actor, client_id, action, subject) OVERRIDING SYSTEM VALUE "
        "VALUES (-1, 'key:bff', 'shop', 'message.read', 'm7')",
    )
    assert await found(store) == ["entry -1 was inserted: it stands among those of batch 1, which has it not"]


async def test_an_entry_inserted_in_an_old_hole_is_named(store: EventStore, postgres_dsn: Dsns) -> None:
    """A hole is waited for during a day; whatever appears in it later was inserted."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as other:
        await owner(postgres_dsn, "SELECT nextval('threadline.audit_position_seq')")
        await write(other, 1)
        await other.seal_audit(AT_ONCE)
    await owner(
        postgres_dsn,
        "INSERT INTO threadline.audit (position, actor, client_id, action, subject) OVERRIDING SYSTEM VALUE "
        "VALUES (10, 'key:bff', 'shop', 'message.read', 'm7')",
    )
    assert await found(store) == []  # may be an entry whose transaction ended late: it is sealed next
    # The holes of a batch are looked at for a day; the view stands for a later day.
    await owner(postgres_dsn, "ALTER TABLE threadline.audit_heads RENAME TO heads_today")
    await owner(
        postgres_dsn,
        "CREATE VIEW threadline.audit_heads AS SELECT batch, previous, root, head, entries, total, first_position, "
        "last_position, sealed_at, after, upto, holes, late, leaves, forgotten_at FROM threadline.heads_today",
    )
    await owner(postgres_dsn, "GRANT SELECT ON threadline.audit_heads TO threadline_service")
    await owner(
        postgres_dsn,
        "CREATE FUNCTION threadline.now() RETURNS timestamptz LANGUAGE sql STABLE AS "
        "$$ SELECT pg_catalog.now() + interval '2 days' $$",
    )
    await owner(postgres_dsn, "GRANT EXECUTE ON FUNCTION threadline.now TO threadline_service")
    async with await EventStore.open(f"{postgres_dsn.service}", SEAL, pool=1) as later:
        async with later._pool.connection() as connection:
            await connection.execute("SET search_path = threadline, pg_catalog")
        assert await found(later) == ["entry 10 was inserted: it stands among those of batch 4, which has it not"]


async def test_young_batches_that_seem_forgotten_are_named(store: EventStore, postgres_dsn: Dsns) -> None:
    """Removed as retention removes the oldest ones, all of them or the first, and with an entry that tells of it: none is removed so soon."""
    told = (
        "INSERT INTO threadline.audit (actor, client_id, action, subject, detail) "
        "VALUES ('retention', '', 'entries.forget', '', '{\"firstBatch\": 1, \"lastBatch\": 3, \"entries\": 9}')"
    )
    gone = "the entries of batch {} were removed, which is not 30 days old"
    await owner(postgres_dsn, "UPDATE threadline.audit_heads SET forgotten_at = now(), leaves = NULL WHERE batch = 1")
    await owner(postgres_dsn, "DELETE FROM threadline.audit WHERE position <= 3")
    untold = "the entries up to batch 1 were removed, and no entry (entries.forget) tells of it"
    assert await found(store) == [gone.format(1), untold]
    await owner(postgres_dsn, "UPDATE threadline.audit_heads SET forgotten_at = now(), leaves = NULL")
    await owner(postgres_dsn, "DELETE FROM threadline.audit")
    await owner(postgres_dsn, told)
    assert await found(store, [await anchor(store)]) == [gone.format(number) for number in (1, 2, 3)]


async def test_a_cut_tail_is_noticed_by_an_anchor_alone(store: EventStore, postgres_dsn: Dsns) -> None:
    """The last batch, deleted with its head and its entries, leaves a chain that is right; an anchor names what is missing."""
    last = await anchor(store)
    await owner(postgres_dsn, "DELETE FROM threadline.audit_heads WHERE batch = 3")
    await owner(postgres_dsn, "DELETE FROM threadline.audit WHERE position > 6")
    assert await found(store) == []
    (finding,) = await found(store, [last])
    assert finding.startswith("batch 3 was anchored and is missing: the audit was cut behind batch 2")


async def test_a_rewritten_chain_is_noticed_by_an_anchor_alone(store: EventStore, postgres_dsn: Dsns) -> None:
    """All entries and heads, made anew by the same code, are a right chain; not the one that was anchored."""
    last = await anchor(store)
    await owner(postgres_dsn, "TRUNCATE threadline.audit_heads")
    await owner(postgres_dsn, "UPDATE threadline.audit SET actor = 'key:other' WHERE position = 2")
    while await store.seal_audit(AT_ONCE):
        pass
    assert await found(store) == []
    assert await found(store, [last]) != []
    for _ in range(2):
        await write(store, 1)
        await store.seal_audit(AT_ONCE)
    assert (await found(store, [last]))[0].startswith(
        "batch 3 is not the one that was anchored at 2026-02-03T12:00:00Z"
    )


async def test_a_chain_without_any_batch_is_noticed_by_an_anchor(store: EventStore, postgres_dsn: Dsns) -> None:
    """Everything deleted is the greatest cut."""
    last = await anchor(store)
    await owner(postgres_dsn, "TRUNCATE threadline.audit, threadline.audit_heads")
    assert await found(store) == []
    assert (await found(store, [last]))[0].startswith("batch 3 was anchored and is missing")


async def test_a_cut_tail_is_noticed_by_an_anchor_noted_in_the_database(store: EventStore, postgres_dsn: Dsns) -> None:
    """The note of an anchor helps against one who forgets to delete it, too."""

    async def take(*_: object) -> None:
        """Take it."""

    assert await store.anchor_audit("file", AT_ONCE, take)
    assert await found(store) == []
    await owner(postgres_dsn, "DELETE FROM threadline.audit_heads WHERE batch = 3")
    await owner(postgres_dsn, "DELETE FROM threadline.audit WHERE position > 6")
    assert (await found(store))[0].startswith("batch 3 is missing, whose anchor was noted at")


async def test_an_anchor_is_believed_by_its_signature_alone(store: EventStore) -> None:
    """One with another batch, head or key is refused."""
    key = private_key(new_key())
    line = line_of(Anchor(3, bytes(32), 9, NOON), key)
    assert anchor_of(line, [key.public_key()]).entries == 9
    for other in (
        line.replace(b'"batch":3', b'"batch":2'),
        line.replace(b"0" * 64, base64.b16encode(bytes(31)) + b"01"),
    ):
        with pytest.raises(ValueError, match="signature is not by a key"):
            anchor_of(other, [key.public_key()])
    with pytest.raises(ValueError, match="signature is not by a key"):
        anchor_of(line, [private_key(new_key()).public_key()])
    for nonsense in (b"", b"[]", b"{}", b'{"batch": "x"}'):
        with pytest.raises(ValueError, match="it is no anchor"):
            anchor_of(nonsense, [key.public_key()])


FORGED: dict[str, LiteralString] = {
    "it ends far ahead": "upto = upto + 1000000",
    "it ends where no entry is": "upto = 11",
    "it is not the next": "batch = batch + 1",
    "it begins later": "after = after + 1",
    "it counts more": "total = total + 1",
    "it follows another": "previous = '\\x00'",
    "it leaves out what comes": "holes = '{[20,30)}'",
    "it takes what comes as late": "late = '{[20,30)}'",
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
async def test_a_service_cannot_add_a_batch_that_stops_sealing(
    store: EventStore, postgres_dsn: Dsns, change: LiteralString
) -> None:
    """A batch that the service forges is refused; sealing goes on, and all entries are found whole."""
    await write(store, 1)
    column, _, value = change.partition(" = ")
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as connection:
        await connection.execute(added({}))  # as it is, it follows
        await connection.rollback()
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await connection.execute(added({column: value}))
    assert await store.seal_audit(AT_ONCE) == 1


def added(changed: dict[str, str]) -> bytes:
    """Return the statement that adds the next batch, with one entry, but for what is changed of it."""
    columns = "batch previous root head entries total first_position last_position sealed_at after upto holes late leaves".split()
    values = ", ".join(changed.get(column, column) for column in columns)
    return f"""
        INSERT INTO threadline.audit_heads ({", ".join(columns)})
        SELECT {values}
        FROM (
            SELECT batch + 1 AS batch, head AS previous, root, head, 1 AS entries, total + 1 AS total, upto + 1 AS first_position,
                upto + 1 AS last_position, now() AS sealed_at, upto AS after, upto + 1 AS upto,
                '{{}}'::int8multirange AS holes, '{{}}'::int8multirange AS late, leaves
            FROM threadline.audit_heads ORDER BY batch DESC LIMIT 1
        ) AS next""".encode()
