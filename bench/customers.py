"""Measures decisions on customers with many interactions, an erasure of one, and what an event takes on disk."""

import statistics
import time
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from app.embedded.postgres import Postgres
from app.erasing.steps import Eraser
from app.settings import Settings
from bench import alone
from bench.progress import say
from schemas.events import Event, Handle
from sql import Deciding, EventStore, Row
from sql.migrate import migrate
from tests.support.keys import SEAL

CLIENT, BATCH = "default", 1000
BY = Deciding("operator", "benchmark", "one person")
#: The bytes of each table and of its indexes, partitions together.
SIZES = """SELECT
    CASE WHEN c.relname ~ '^events_[0-9d]' THEN 'events' ELSE c.relname END AS name,
    sum(pg_table_size(c.oid))::bigint AS rows, sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM pg_class AS c
WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'r'
    AND c.relname ~ '^(events_[0-9d].*|event_ids|interactions|handles|assignments)$'
GROUP BY 1"""


class Size(NamedTuple):
    """The bytes that an event takes in a table, and in its indexes."""

    rows: float
    indexes: float


class Found(NamedTuple):
    """Milliseconds of each decision and of an erasure, by its name, and the bytes of an event by table."""

    took: dict[str, float]
    sizes: dict[str, Size]


def story(number: int, interactions: int) -> list[Row]:
    """Return what two addresses of one customer said: half each, two events an interaction."""
    began = datetime.now(UTC) - timedelta(days=1)
    rows: list[Row] = []
    for n in range(interactions):
        id, at = f"SM{number}-{n}", began + timedelta(seconds=n)
        handle = Handle("phone", address(number, n % 2))
        for type, payload in (
            ("UserMessageSent", {"content": {"text": f"Your order {n} is on its way"}}),
            ("MessageDelivered", {"providerStatus": "delivered"}),
        ):
            event = Event(
                type,
                "twilio",
                f"{id} {type}",
                channel="sms",
                direction="outbound",
                handle=handle,
                provider="twilio",
                provider_message_id=id,
                occurred_at=at,
                payload=payload,
            )
            rows.append((event, CLIENT, at, None))
    return rows


def address(number: int, which: int) -> str:
    """Return one of the two addresses of a customer."""
    return f"+1555{number:06}{which}"


async def measure(folder: Path, interactions: int, turns: int) -> Found:
    """Return medians over customers with so many interactions."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    try:
        await migrate(server.dsn("owner"))
        async with await EventStore.open(server.dsn("service"), SEAL, pool=2) as store:
            took: dict[str, list[float]] = {}
            for turn in range(turns + 1):
                rows = story(turn, interactions)
                for first in range(0, len(rows), BATCH):
                    await store.append(rows[first : first + BATCH])
                for name, milliseconds in (await _turn(store, folder, turn)).items():
                    if turn:  # the first does not count
                        took.setdefault(name, []).append(milliseconds)
                if not turn:
                    sizes = await _sizes(server.dsn("owner"), len(rows))
            say(f"{turns} customers with {interactions:,} interactions each")
        return Found({name: round(statistics.median(each), 1) for name, each in took.items()}, sizes)
    finally:
        await server.stop()


async def _turn(store: EventStore, folder: Path, number: int) -> dict[str, float]:
    one, other = [await _at(store, address(number, which)) for which in range(2)]
    took: dict[str, float] = {}
    await _timed(took, "merge", store.merge_customers(CLIENT, one["customer_id"], other["customer_id"], BY))
    await _timed(took, "split", store.split_customer(CLIENT, one["customer_id"], [other["id"]], BY))
    again = await _at(store, address(number, 1))
    await store.merge_customers(CLIENT, one["customer_id"], again["customer_id"], BY)
    if number:  # what is measured on disk has not been erased
        await _timed(took, "erase", _erase(store, folder, one["customer_id"]))
    return took


async def _timed(took: dict[str, float], name: str, work: Awaitable[Any]) -> None:
    began = time.perf_counter()
    await work
    took[name] = (time.perf_counter() - began) * 1000


async def _at(store: EventStore, value: str) -> dict[str, Any]:
    rows = await store.customer_of(CLIENT, "phone", value)
    return next(row for row in rows if row["value"] == value)


async def _erase(store: EventStore, folder: Path, customer: UUID) -> None:
    id = await store.request_erasure(CLIENT, customer, "benchmark")
    assert id is not None
    await Eraser(store, Settings(data=folder)).run(id)


async def _sizes(dsn: str, events: int) -> dict[str, Size]:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        rows = await (await db.execute(SIZES)).fetchall()
    return {name: Size(round(bytes / events, 1), round(indexes / events, 1)) for name, bytes, indexes in rows}


if __name__ == "__main__":
    alone.part("customers", __doc__)
