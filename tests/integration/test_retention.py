"""The ends of rows in a real PostgreSQL: what is removed at which age, what stays, and that every table has an owner."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from agents.health import WorkerHealth
from agents.process.expiry import Expiry
from app.settings import Retention
from sql import EventStore, KeptAnswer
from sql.retention import ENDED_ELSEWHERE, STORES, WITHOUT_END
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.test_sending_store import asked, new
from tests.support.keys import SEAL
from tests.support.waiting import eventually

Owner = psycopg.AsyncConnection[Any]
AGES = {store: timedelta(days=30) for store in STORES}
STATES = ("queued", "held", "sending", "retrying", "unanswered", "watched", "sent", "failed", "expired", "cancelled")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it, so that its privileges are tested too."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


@pytest_asyncio.fixture
async def owner(postgres_dsn: Dsns) -> AsyncIterator[Owner]:
    """A connection that may write any row with any time."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as connection:
        await connection.execute("SET search_path = threadline")
        yield connection


async def message(owner: Owner, id: str, state: str, days: float, doubted: bool = False) -> None:
    """Add a message that changed so many days ago, with two attempts and a key of the same name."""
    await owner.execute(
        """
        WITH made AS (
            INSERT INTO messages (
                id, changed_at, due_at, lane, priority, state, client_id, message_id, channel, account, request,
                fingerprint, doubted
            )
            VALUES (
                message_reference('shop', %(id)s), now() - make_interval(hours => (24 * %(days)s)::integer), now(),
                lane_id('shop', 'twilio'), 1, %(state)s, 'shop', %(id)s, 'sms', 'twilio', '{}', '', %(doubted)s
            )
            RETURNING id
        ),
        tried AS (
            INSERT INTO attempts (id, number, channel, account)
            SELECT id, number, 'sms', 'twilio' FROM made, generate_series(1, 2) AS number
        )
        INSERT INTO message_keys (client_id, key, id) SELECT 'shop', %(id)s, id FROM made
        """,
        {"id": id, "days": days, "state": state, "doubted": doubted},
    )


async def column(owner: Owner, query: str) -> list[Any]:
    """The first column of a query, sorted."""
    return sorted(row[0] for row in await (await owner.execute(query)).fetchall())


async def removed_by(store: EventStore, ages: Any = AGES, **more: Any) -> dict[str, int]:
    """Remove what is due; return the number of rows by table."""
    removed: Counter[str] = Counter()

    def note(table: str, rows: int) -> None:
        removed[table] += rows

    assert await store.remove_expired(ages, note, pause=0, **more)
    return dict(removed)


async def test_only_messages_with_an_old_outcome_go_with_attempts_and_keys(store: EventStore, owner: Owner) -> None:
    """One that waits, is being sent, watched, unanswered or doubted stays at any age, and each stays until its time."""
    for state in STATES:
        await message(owner, f"{state} old", state, 31)
        await message(owner, f"{state} young", state, 29)
    await message(owner, "doubted old", "cancelled", 31, doubted=True)
    assert await removed_by(store, step=3) == {"messages": 4, "attempts": 8, "message_keys": 4}
    left = [f"{state} young" for state in STATES] + [f"{state} old" for state in STATES[:6]] + ["doubted old"]
    assert await column(owner, "SELECT message_id FROM messages") == sorted(left)
    assert await column(owner, "SELECT key FROM message_keys") == sorted(left)
    assert await column(owner, "SELECT m.message_id FROM attempts JOIN messages AS m USING (id)") == sorted(left * 2)
    assert await column(owner, "SELECT count(*) FROM attempts") == [2 * len(left)]


async def test_dead_letters_audit_gaps_and_answers_end(store: EventStore, owner: Owner) -> None:
    """A dead letter that waits for its replay, or was handled lately, an open gap, and what is young stay."""
    await owner.execute("""
        INSERT INTO dead_letters (id, topic, partition, "offset", reason, recorded_at, replayed_at, discarded_at, replay_due)
        SELECT md5(topic)::uuid, topic, 0, 1, 'r', now() - recorded * interval '1 day', now() - replayed * interval '1 day',
            now() - discarded * interval '1 day', due
        FROM (VALUES
            ('old', 31, NULL, NULL, false), ('young', 29, NULL, NULL, false), ('waits', 40, 35, NULL, true),
            ('replayed', 40, 35, NULL, false), ('replayed lately', 40, 5, NULL, false),
            ('discarded', 40, NULL, 31, false), ('discarded lately', 40, 35, 1, false)
        ) AS given (topic, recorded, replayed, discarded, due)
    """)
    await owner.execute("""
        INSERT INTO audit (at, actor, client_id, action, subject)
        SELECT now() - days * interval '1 day', 'a', 'shop', 'x', days::text FROM unnest(ARRAY[31, 400]) AS days
    """)
    assert await store.seal_audit(timedelta(0)) == 2
    await owner.execute("UPDATE audit_heads SET sealed_at = now() - interval '31 days'")
    await owner.execute(
        "INSERT INTO audit (actor, client_id, action, subject) VALUES ('a', 'shop', 'x', 'not sealed yet')"
    )
    await owner.execute("""
        INSERT INTO gaps (topic, partition, from_offset, to_offset, found_at, acknowledged_at)
        VALUES ('open', 0, 1, 2, now() - interval '99 days', NULL),
            ('seen', 0, 1, 2, now() - interval '99 days', now() - interval '31 days'),
            ('seen lately', 0, 1, 2, now() - interval '99 days', now() - interval '29 days')
    """)
    await owner.execute("""
        INSERT INTO idempotency_keys (created_at, status, client_id, key, fingerprint, answer)
        SELECT now() - days * interval '1 day', 202, 'shop', 'k' || days, '', '' FROM unnest(ARRAY[29, 31]) AS days
    """)
    await owner.execute(
        "INSERT INTO message_keys (client_id, key) VALUES ('shop', 'k29'), ('shop', 'k31'), ('b', 'k31')"
    )
    removed = {"idempotency_keys": 1, "message_keys": 1, "dead_letters": 3, "audit": 2, "gaps": 1}
    assert await removed_by(store, step=2) == removed
    assert await column(owner, "SELECT topic FROM dead_letters") == [
        "discarded lately",
        "replayed lately",
        "waits",
        "young",
    ]
    assert await column(owner, "SELECT subject FROM audit ORDER BY position") == ["", "not sealed yet"]
    assert await column(owner, "SELECT topic FROM gaps") == ["open", "seen lately"]
    assert await column(owner, "SELECT key FROM idempotency_keys") == ["k29"]
    assert await column(owner, "SELECT client_id || key FROM message_keys") == ["bk31", "shopk29"]


async def test_zero_days_keep_rows_for_ever(store: EventStore, owner: Owner) -> None:
    """Neither removed nor counted as due."""
    await message(owner, "ancient", "sent", 9999)
    ages = Retention(messages=0).ages
    assert await removed_by(store, ages) == {}
    assert [row["due"] for row in await store.expiring(ages)] == [0] * len(STORES)


async def test_a_removal_that_is_cancelled_goes_on_later(store: EventStore, owner: Owner) -> None:
    """What was removed stays removed, no message lost its attempts only, and the lock is free for the next."""
    for number in range(10):
        await message(owner, f"m{number}", "sent", 31)

    def note(table: str, rows: int) -> None:
        if table == "message_keys":
            task.cancel()

    task = asyncio.create_task(store.remove_expired(AGES, note, step=4, pause=0))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await column(owner, "SELECT count(*) FROM messages") == [6]
    assert await column(owner, "SELECT count(*) FROM attempts") == [12]
    assert await removed_by(store, step=4) == {"messages": 6, "attempts": 12, "message_keys": 6}


async def test_a_removal_that_is_cancelled_within_a_statement_leaves_no_lock(store: EventStore, owner: Owner) -> None:
    """Its statement is undone, and the next removal does it."""
    await message(owner, "old", "sent", 31)
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'messages'::regclass AND NOT granted"
    async with owner.transaction():
        await owner.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        task = asyncio.create_task(store.remove_expired(AGES, lambda table, rows: None))
        await eventually(lambda: column(owner, waiting), lambda found: found == [1])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await removed_by(store) == {"messages": 1, "attempts": 2, "message_keys": 1}


async def test_one_process_removes_at_a_time(store: EventStore, owner: Owner) -> None:
    """Another leaves it to the one that is at it; both together remove each row once."""
    for number in range(10):
        await message(owner, f"m{number}", "sent", 31)
    await owner.execute("SELECT pg_advisory_lock(29796, 29)")
    removed: Counter[str] = Counter()

    def note(table: str, rows: int) -> None:
        removed[table] += rows

    assert not await store.remove_expired(AGES, note)
    assert not removed
    await owner.execute("SELECT pg_advisory_unlock(29796, 29)")
    runs = await asyncio.gather(*(store.remove_expired(AGES, note, step=2, pause=0) for _ in range(3)))
    assert any(runs)
    assert removed == {"messages": 10, "attempts": 20, "message_keys": 10}


async def test_a_repeat_is_a_new_request_once_its_message_is_gone(store: EventStore, owner: Owner) -> None:
    """Before that it gets the first answer, even if the answer kept for the key is gone; afterwards it is accepted anew."""

    async def ask(message_id: str) -> tuple[bool, str | None]:
        wanted = new(asked(0, messageId=message_id), lane=("shop", "twilio", None, 10, 10))._replace(key="order-1")
        kept = [KeptAnswer("shop", "order-1", b"", 202, b"{}")]
        if await store.recall("shop", "order-1", b""):
            kept = []
        (found,) = await store.accept([wanted], lambda _: kept)
        return found.fresh, found.message_id

    assert await ask("first") == (True, None)
    await owner.execute("UPDATE idempotency_keys SET created_at = now() - interval '31 days'")
    assert await removed_by(store) == {"idempotency_keys": 1}
    assert await ask("second") == (False, "first")
    await owner.execute("UPDATE messages SET state = 'sent', changed_at = now() - interval '29 days'")
    assert await removed_by(store) == {}
    assert await ask("third") == (False, "first")
    await owner.execute("UPDATE messages SET changed_at = now() - interval '31 days'")
    assert await removed_by(store) == {"messages": 1, "message_keys": 1}
    assert await ask("fourth") == (True, None)
    assert await column(owner, "SELECT count(*) FROM events") == [2]


async def test_the_worker_removes_and_reports(store: EventStore, owner: Owner) -> None:
    """Rows by table, how far the oldest is beyond its time, and when that last finished, which another worker reports too."""
    await owner.execute("UPDATE retention_run SET finished_at = now() - interval '5 days'")
    await message(owner, "old", "sent", 31)
    await message(owner, "young", "sent", 3)
    health = WorkerHealth()
    await Expiry(store, AGES, health).once()
    await owner.execute("SELECT pg_advisory_lock(29796, 29)")
    await message(owner, "late", "sent", 32)
    other = WorkerHealth()
    await Expiry(store, AGES, other).once()
    values, others = (
        {(sample.name, *sample.labels.values()): sample.value for family in each.collect() for sample in family.samples}
        for each in (health, other)
    )
    assert values["threadline_retention_removed_rows_total", "messages"] == 1
    assert values["threadline_retention_removed_rows_total", "attempts"] == 2
    assert values["threadline_retention_overdue_seconds", "messages"] == 0
    assert 86400 <= others["threadline_retention_overdue_seconds", "messages"] - 86400 < 2 * 86400
    finished = values[("threadline_retention_finished_timestamp_seconds",)]
    assert finished == others[("threadline_retention_finished_timestamp_seconds",)]
    assert finished > (datetime.now(UTC) - timedelta(days=1)).timestamp()


async def test_each_table_has_an_end_or_a_reason(owner: Owner) -> None:
    """A new table must be named in `sql/retention.py`: in STORES, ENDED_ELSEWHERE or WITHOUT_END."""
    there = await column(
        owner,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition",
    )
    ended = {table for each in STORES.values() for table in each.tables}
    assert there == sorted(ended | ENDED_ELSEWHERE.keys() | WITHOUT_END.keys())
    assert len(there) == len(ended) + len(ENDED_ELSEWHERE) + len(WITHOUT_END)
    assert list(Retention().ages) == list(STORES)


async def test_the_service_may_not_delete_from_the_log(owner: Owner) -> None:
    """Its tables of the log stay append only."""
    query = "SELECT has_table_privilege('threadline_service', 'threadline.events', 'DELETE, UPDATE, TRUNCATE')"
    assert await column(owner, query) == [False]


async def test_the_command_shows_and_removes(postgres_dsn: Dsns, owner: Owner, tmp_path: Path) -> None:
    """At 80 columns, as JSON, and with `--run`, which says what it removed."""
    await message(owner, "old", "sent", 91)
    environment = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_RETENTION__AUDIT": "0"}
    shown = await command("retention", environment=environment)
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = [each.split() for each in lines if "retention.messages" in each]
    assert (line[0], line[1], line[-1]) == ("retention.messages", "90", "1")
    assert any("retention.audit" in each and "for ever" in each for each in lines)
    stores = json.loads((await command("retention", "--json", environment=environment)).out)["stores"]
    assert {each["store"]: each["due"] for each in stores} == {store: int(store == "messages") for store in STORES}
    ran = await command("retention", "--run", environment=environment)
    assert (ran.code, ran.out.splitlines()) == (
        0,
        ["messages: 1 row removed", "attempts: 2 rows removed", "message_keys: 1 row removed"],
    )
    again = await command("retention", "--run", "--json", environment=environment)
    assert json.loads(again.out) == {"removed": {}}
    await owner.execute("SELECT pg_advisory_lock(29796, 29)")
    assert (await command("retention", "--run", environment=environment)).code == 1
