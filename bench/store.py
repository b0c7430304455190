"""Measures the store: rows/s of append and project, beside a bare batched INSERT of the same rows into one equal table.

The two take turns, each with a fresh database. Both get rows as Python values, write them as JSON, and ignore
duplicates. The rows of the bare INSERT have their ids and digests already; ours computes them, and folds. The table of the bare
INSERT has the columns and indexes of the log, and its key, but no partitions.
"""

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.types.json import Jsonb

from app import memory
from app.embedded.postgres import Postgres
from bench import alone
from bench.progress import say
from sql import EventStore, Row
from sql.migrate import migrate
from tests.faults.faults import facts_of
from tests.faults.providers import Signed
from tests.support import traffic
from tests.support.keys import SEAL
from webhooks.ids import uuid7

BATCH = 1000
#: The log as one table whose key is the event's id: the cheapest that ignores duplicates.
TABLE = """CREATE TABLE threadline.bare (LIKE threadline.events INCLUDING DEFAULTS);
ALTER TABLE threadline.bare ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON threadline.bare (xid, position);
CREATE INDEX ON threadline.bare (reference) WHERE reference IS NOT NULL;
CREATE INDEX ON threadline.bare (identity) WHERE identity IS NOT NULL;
CREATE INDEX ON threadline.bare (reference, xid, position) WHERE provider_message_id IS NOT NULL AND message_id IS NOT NULL;
CREATE TRIGGER announced BEFORE INSERT ON threadline.bare FOR EACH STATEMENT EXECUTE FUNCTION threadline.announce_writer();
GRANT SELECT, INSERT ON threadline.bare TO threadline_service"""
BARE = """INSERT INTO threadline.bare
SELECT * FROM jsonb_populate_recordset(NULL::threadline.bare, %s) ON CONFLICT (id) DO NOTHING"""
READY = "SELECT to_jsonb(e) FROM threadline.events e ORDER BY position"


def rows_of(count: int, seed: int = 1) -> list[Row]:
    """Return the events of `count` webhooks, as the worker appends them; others with another `seed`."""
    now = datetime.now(UTC)
    return [
        (event, "default", now, id)
        for post in traffic.posts(count, seed=seed)
        for id in (uuid7(),)
        for event in facts_of(Signed(post), now)
    ]


async def append(dsn: str, rows: list[Row]) -> float:
    """Return the rows/s of `EventStore.append`."""
    async with await EventStore.open(dsn, SEAL, pool=1) as store:
        await store.append(rows[:BATCH])
        began = time.perf_counter()
        for start in range(BATCH, len(rows), BATCH):
            await store.append(rows[start : start + BATCH])
        return (len(rows) - BATCH) / (time.perf_counter() - began)


async def bare(dsn: str, ready: list[dict[str, Any]]) -> float:
    """Return the rows/s of the bare INSERT."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(BARE, [Jsonb(ready[:BATCH], dumps=orjson.dumps)], prepare=True)
        began = time.perf_counter()
        for start in range(BATCH, len(ready), BATCH):
            await db.execute(BARE, [Jsonb(ready[start : start + BATCH], dumps=orjson.dumps)], prepare=True)
        return (len(ready) - BATCH) / (time.perf_counter() - began)


async def measure(folder: Path, count: int = 40_000, turns: int = 5) -> dict[str, float]:
    """Return {"rate", "limit", "ratio"}: medians of the turns; and {"least", "most"}: the ratio in single turns."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    await migrate(server.dsn("owner"))
    rows = rows_of(count)
    memory.settle()  # as the worker does
    ready: list[dict[str, Any]] = []
    found: list[list[float]] = []
    say(f"{len(rows):,} rows, {turns} turns")
    for turn in range(turns + 1):  # the first does not count; it makes the rows for the bare INSERT
        rates = []
        for name in ("ours", "bare"):
            await server.execute("copy_database", name=name, template="threadline")
            if name == "ours":
                rates.append(await append(server.dsn("service", name), rows))
            elif ready:
                async with await psycopg.AsyncConnection.connect(server.dsn("owner", name)) as db:
                    await db.execute(TABLE)
                rates.append(await bare(server.dsn("service", name), ready))
            if not ready:
                async with await psycopg.AsyncConnection.connect(server.dsn("owner", name)) as db:
                    ready = [row[0] for row in await (await db.execute(READY)).fetchall()]
            await server.execute("drop_database", name=name)
        if turn:
            found.append(rates)
    await server.stop()
    return {
        "rate": statistics.median(ours for ours, _ in found),
        "limit": statistics.median(limit for _, limit in found),
        "ratio": round(statistics.median(ours / limit for ours, limit in found), 3),
        "least": round(min(ours / limit for ours, limit in found), 3),
        "most": round(max(ours / limit for ours, limit in found), 3),
    }


if __name__ == "__main__":
    alone.part("store", __doc__)
