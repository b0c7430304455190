"""Measures the append into a log that has grown, beside the same append into an empty one.

The grown database has copies of appended events, under other ids and handles, in six months, with their interactions and the rows by
which a repeat is known: what an append reads and writes at random is as large as after years. The two take turns, in an order by chance.
"""

import random
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from app import memory
from app.embedded.postgres import Postgres, Tuning
from bench import alone
from bench.processes import taken, watched
from bench.progress import say
from bench.separation import worded
from bench.store import rows_of
from sql import EventStore, Row
from sql.migrate import migrate
from tests.support.keys import SEAL

#: Webhooks that the copies are made of, months over which they are spread, events of a batch.
SEED, MONTHS, BATCH = 12_000, 6, 500
PREPARE: tuple[LiteralString, ...] = (
    "SET search_path = threadline",
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    "CREATE UNLOGGED TABLE seed_events AS SELECT * FROM events",
    "CREATE UNLOGGED TABLE seed_interactions AS SELECT * FROM interactions",
)
MONTH = (
    "SELECT make_event_partition((date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => %s))::date)"
)
#: Copies with numbers from one to another. `names` and `copies`: from `COLUMNS`.
EVENTS = """WITH copied AS MATERIALIZED (
    SELECT e.*, nextval('events_position_seq') AS place, pg_current_xact_id()::text::bigint AS writer, k,
        e.recorded_at - make_interval(months => k %% %(months)s) AS at, md5(e.id::text || k)::uuid AS new_id
    FROM seed_events AS e CROSS JOIN generate_series(%(first)s::int, %(last)s::int) AS k
),
ids AS (
    INSERT INTO event_ids (recorded_at, xid, position, content, id) SELECT at, writer, place, 0, new_id FROM copied
)
INSERT INTO events ({names}) SELECT {copies} FROM copied ORDER BY place"""
INTERACTIONS = """INSERT INTO interactions ({names})
SELECT {copies} FROM seed_interactions, generate_series(%(first)s::int, %(last)s::int) AS k"""
#: What stands in a copy in place of a column.
OTHER = {
    "events": {
        "position": "place",
        "xid": "writer",
        "id": "new_id",
        "recorded_at": "at",
        "reference": "md5(reference::text || k)::uuid",
        "handle_id": "md5(handle_id::text || k)::uuid",
        "source_event_id": "md5(source_event_id || k)",
        "provider_message_id": "md5(provider_message_id || k)",
    },
    "interactions": {name: f"md5({name}::text || k)::uuid" for name in ("id", "user_handle_id", "address_handle_id")},
}
#: The columns of a table that are not computed.
COLUMNS: LiteralString = """SELECT quote_ident(attname) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"""
SIZES = """SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class
WHERE oid = ANY (ARRAY['threadline.event_ids', 'threadline.interactions']::regclass[])
UNION ALL
SELECT 'database', pg_size_pretty(pg_database_size(current_database()))"""


@dataclass(slots=True)
class Side:
    """A database. `spent`: of each turn the seconds, and the nanoseconds of PostgreSQL's process."""

    store: EventStore
    watch: psycopg.AsyncConnection[Any]
    spent: list[tuple[float, int]] = field(default_factory=list)

    async def turn(self, rows: list[Row]) -> None:
        """Append a batch."""
        before, began = sum((await taken(self.watch)).values()), time.perf_counter()
        if (await self.store.append(rows)).appended != len(rows):
            raise RuntimeError("the batch was not new")
        took = time.perf_counter() - began
        self.spent.append((took, sum((await taken(self.watch)).values()) - before))


async def grow(server: Postgres, name: str, events: int) -> None:
    """Append some events to a database, and copy them until it has so many."""
    async with await EventStore.open(server.dsn("service", name), SEAL, pool=1) as store:
        seed = rows_of(SEED)
        for first in range(0, len(seed), BATCH):
            await store.append(seed[first : first + BATCH])
    began = time.perf_counter()
    async with await psycopg.AsyncConnection.connect(server.dsn("superuser", name), autocommit=True) as db:
        for query in PREPARE:
            await db.execute(query)
        for month in range(1, MONTHS):
            await db.execute(MONTH, [month])
        copying = [
            await copy_of(db, name, query) for name, query in (("events", EVENTS), ("interactions", INTERACTIONS))
        ]
        first, step = 1, 8
        while len(seed) * first < events:
            span = {"first": first, "last": first + step - 1, "months": MONTHS}
            for statement in copying:
                await db.execute(statement, span)
            first += step
            if first % 80 == 1:
                say(f"{len(seed) * first:,} events, {len(seed) * first / (time.perf_counter() - began):,.0f}/s")
        await db.execute("DROP TABLE seed_events, seed_interactions")
        await db.execute("VACUUM ANALYZE")
        await db.execute("CHECKPOINT")
        say(f"{len(seed) * first:,} events made in {time.perf_counter() - began:.0f} s")
        for what, size in await (await db.execute(SIZES)).fetchall():
            say(f"  {what}: {size}")


async def copy_of(db: psycopg.AsyncConnection[Any], table: str, query: str) -> bytes:
    """Return the statement that adds copies to a table."""
    columns = [name for (name,) in await (await db.execute(COLUMNS, [table])).fetchall()]
    copies = [OTHER[table].get(name.strip('"'), name) for name in columns]
    return query.format(names=", ".join(columns), copies=", ".join(copies)).encode()


async def measure(folder: Path, events: int, turns: int, buffers: int) -> None:
    """Measure, and print."""
    server = Postgres(folder / "postgres", folder / "postgres.log", tuning=Tuning(shared_buffers_mb=buffers))
    await server.start()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(server.stop)
        await migrate(server.dsn("owner"))
        for name in ("empty", "grown"):
            await server.execute("copy_database", name=name, template="threadline")
        await grow(server, "grown", events)
        sides = {}
        for name in ("empty", "grown"):
            sides[name] = Side(*await watched(opened, server, name))
        rows = rows_of(turns * BATCH, seed=2)
        memory.settle()  # as the processes do
        chance = random.Random(1)  # no secret
        for number in range(turns):
            some = rows[number * BATCH : (number + 1) * BATCH]
            for side in chance.sample(list(sides.values()), k=2):
                await side.turn(some)
            if (number + 1) % max(turns // 4, 1) == 0:
                report(sides, number + 1, max(turns // 4, 1))


def report(sides: dict[str, Side], done: int, last: int) -> None:
    """Print what the last turns were: the rate of the grown one as a share of the empty one's."""
    empty, grown = (sides[name].spent[-last:] for name in ("empty", "grown"))
    for what, part in (("rate", 0), ("rate by processor time", 1)):
        found = worded([one[part] / other[part] for one, other in zip(empty, grown, strict=True)])
        say(f"turns {done - last + 1} to {done}: {what} {found} of that at none")
    rates = [BATCH / statistics.median(spent[0] for spent in side) for side in (empty, grown)]
    say(f"  {rates[0]:,.0f} and {rates[1]:,.0f} events/s")


def main() -> None:
    """Measure in a folder that is removed."""
    parser = alone.parser_of("growth", __doc__)
    parser.add_argument("--events", type=int, default=20_000_000, help="events of the grown log (20,000,000)")
    parser.add_argument("--turns", type=int, default=200, help="batches of 500 into each (200)")
    parser.add_argument("--buffers", type=int, default=4096, help="shared_buffers in MiB (4,096)")
    given = parser.parse_args()
    alone.in_folder("growth", lambda folder: measure(folder, given.events, given.turns, given.buffers))


if __name__ == "__main__":
    main()
