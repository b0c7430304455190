"""How far the log is settled, on real PostgreSQL: who is waited for, who is not, and that nothing is ever passed over."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from agents.health import WorkerHealth
from agents.telling.metrics import NotificationMetrics
from app.cli.doctor import log as log_checks
from app.embedded.postgres import Postgres
from app.settings import Postgres as PostgresSettings
from app.settings import Relay, Settings
from schemas.events import Event, Handle
from sql import EventStore, is_transient
from sql.append import Appending
from sql.parameters import events_of, json, plain
from sql.relay import Place
from sql.statements import statement
from tests.conftest import Dsns
from tests.support.keys import SEAL
from tests.support.relaying import relaying
from tests.support.waiting import until

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def received(name: str) -> Event:
    """A message of a customer, under an id."""
    return Event(
        "MessageReceived",
        "twilio",
        name,
        channel="sms",
        direction="inbound",
        provider_message_id=name,
        handle=Handle("phone", "+15550000001"),
    )


async def append(store: Appending, *names: str) -> None:
    """Append messages."""
    await store.append([(received(name), "shop", NOON, None) for name in names])


async def tell(store: EventStore, after: Place = (0, 0)) -> list[str]:
    """What the relay is given after a place, by its sources' ids."""
    async with relaying(store) as relay:
        return [row["source_event_id"] for row in await relay.page(after, 1000)]


@asynccontextmanager
async def holding(dsn: str, *statements: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A transaction that did this, and is open."""
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        for each in statements:
            await db.execute(each)
        yield db
        await db.rollback()


async def test_who_appends_nothing_keeps_nobody_waiting(postgres: Postgres, postgres_dsn: Dsns) -> None:
    """With write transactions open in another database of the server, and in ours, what was appended after they began is
    relayed, and a stream reads it."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=3) as store,
        holding(
            postgres.dsn("owner", "postgres"), "CREATE TEMPORARY TABLE held (a int)", "INSERT INTO held VALUES (1)"
        ),
        holding(postgres_dsn.owner, "CREATE TABLE public.held (a int)"),
    ):
        await append(store, "a", "b")
        assert await tell(store) == ["a", "b"]
        (handle,) = await store.customer_of("shop", "phone", "+15550000001")
        horizon = await store.horizon()
        assert horizon <= await store.log_end()
        changed = await store.changes_since(
            xid=0, position=0, horizon=horizon, customers=[handle["customer_id"]], limit=9
        )
        missed = await store.customer_changes(
            client_id="shop", customer_id=handle["customer_id"], xid=0, position=0, limit=9
        )
    assert {row["provider_message_id"] for row in changed} == {"a", "b"}
    assert {row["provider_message_id"] for row in missed} == {"a", "b"}


async def test_who_appends_is_waited_for(postgres_dsn: Dsns) -> None:
    """Whether it has inserted already or only announced that it will: what others append meanwhile is held back until
    it ends."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=3) as store:
        async with holding(postgres_dsn.service, "SET search_path = threadline", statement("writing").decode()):
            await append(store, "a")
            assert await tell(store) == []
        assert await tell(store) == ["a"]


async def test_who_says_too_late_that_he_appends_is_refused(postgres_dsn: Dsns) -> None:
    """A transaction that has its number already, and did not say first that it appends, would append below what readers
    have passed: it cannot."""
    insert = (
        "INSERT INTO threadline.events (id, type, client_id, source, source_event_id, received_at, payload) "
        "VALUES (gen_random_uuid(), 'MessageReceived', 'shop', 's', 's', now(), '{}')"
    )
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        await db.execute("SELECT pg_current_xact_id()")
        with pytest.raises(psycopg.errors.InvalidTransactionState):
            await db.execute(insert)
        await db.rollback()
        await db.execute(insert)
        await db.commit()


async def write(dsn: str, lane: int, count: int, committed: list[str]) -> None:
    """Append one event a transaction, with pauses wherever another could come in between; some are undone."""
    rng = random.Random(lane)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(statement("session"))
        for number in range(count):
            name = f"{lane}-{number}"
            parameters = {
                "events": json(events_of([plain((replace(received(name), handle=None), "shop", NOON, None))])), "kept": False, "block": None,
                "handles": [],
            }  # fmt: skip
            async with db.transaction(force_rollback=rng.random() < 0.2) as transaction:
                await db.execute(statement("writing"))
                await asyncio.sleep(rng.choice([0, 0, 0.001, 0.01]))
                await db.execute(statement("append"), parameters)
                await asyncio.sleep(rng.choice([0, 0, 0.001, 0.02]))
            if not transaction.force_rollback:
                committed.append(name)


async def test_a_reader_at_full_speed_passes_nothing_over(postgres: Postgres, postgres_dsn: Dsns) -> None:
    """Many writers whose transactions overlap in every way, some undone; whoever reads on from where he stopped sees each
    event once, while another database holds the server's oldest transaction."""
    committed: list[str] = []
    seen: list[str] = []
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store,
        holding(
            postgres.dsn("owner", "postgres"), "CREATE TEMPORARY TABLE held (a int)", "INSERT INTO held VALUES (1)"
        ),
        relaying(store) as relay,
    ):
        writers = asyncio.gather(*(write(postgres_dsn.service, lane, 60, committed) for lane in range(12)))
        place: Place = (0, 0)
        last = False
        while True:
            last = last or writers.done()
            page = await relay.page(place, 50)
            seen += [row["source_event_id"] for row in page]
            if page:
                place = (page[-1]["xid"], page[-1]["position"])
            elif last:
                break
            await asyncio.sleep(0)
        await writers
    assert len(seen) == len(set(seen))
    assert set(seen) == set(committed)


async def test_who_is_waited_for_is_named(postgres_dsn: Dsns) -> None:
    """A transaction that appends and does not end: the metrics count from the oldest event that was not relayed and
    give the transaction's age, the worker is not ready and names the transaction, and so does `doctor`; when it has
    ended all is well."""
    health = WorkerHealth()
    telling = NotificationMetrics(health, held_after=0.2)
    settings = Settings(
        postgres=PostgresSettings(dsn=SecretStr(postgres_dsn.service)), relay=Relay.model_validate({"held_after": 0.2})
    )
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=3) as store:
        measuring = asyncio.create_task(telling.measure(store, every=0.05))
        try:
            async with holding(
                f"{postgres_dsn.service}?application_name=stuck",
                "SET search_path = threadline",
                statement("writing").decode(),
            ) as db:
                await append(store, "a")
                await asyncio.sleep(0.5)
                await until(lambda: "relay horizon" in health.failures)
                reported = health.failures["relay horizon"]
                for part in (
                    str(db.info.backend_pid),
                    "stuck",
                    db.info.dbname,
                    "idle in transaction",
                    "pg_advisory_xact",
                ):
                    assert part in reported
                assert telling.lag["horizon"] > 0.4
                assert (telling.lag["events"], telling.lag["seconds"] > 0.4) == (1, True)
                names = {metric.name for metric in telling.collect()}
                assert {"threadline_horizon_age_seconds", "threadline_relay_lag_seconds"} <= names
                (finding,) = [each async for each in log_checks.horizon(settings)]
                assert (finding.state, "stuck" in finding.found) == ("wrong", True)
            await until(lambda: "relay horizon" not in health.failures)
            (finding,) = [each async for each in log_checks.horizon(settings)]
            assert finding.state == "ok"
        finally:
            measuring.cancel()
            await asyncio.gather(measuring, return_exceptions=True)


async def test_a_transaction_of_the_service_that_is_left_open_ends(postgres_dsn: Dsns) -> None:
    """The service's connections end a transaction in which nothing is done, and what fails by that is tried again."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store,
        store._pool.connection() as connection,
    ):
        shown = await (await connection.execute("SHOW idle_in_transaction_session_timeout")).fetchone()
        assert shown is not None
        assert shown["idle_in_transaction_session_timeout"] not in ("0", None)
        await connection.execute("SET idle_in_transaction_session_timeout = 50")
        with pytest.raises(psycopg.Error) as reported:
            async with connection.transaction():
                await connection.execute("SELECT 1")
                await asyncio.sleep(0.5)
                await connection.execute("SELECT 1")
    assert is_transient(reported.value)
