"""Measures what the audit costs a worker that appends: processor time of PostgreSQL's process, and of ours.

An append writes nothing to the audit. What the audit takes from the worker is its sealing: every five seconds it looks whether entries
are to be sealed, a thousand at once or after a minute, and asks how old they are. In each turn the appends are counted without these
looks, and with them: once where the looks find nothing, and once where reads of the API have left entries. The kernel counts, as in
`bench.separation`.
"""

import random
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import process_time_ns
from typing import Any, LiteralString

import psycopg

from app import memory
from app.embedded.postgres import Postgres
from bench import alone
from bench.processes import taken, watched
from bench.progress import say
from bench.separation import worded
from bench.store import rows_of
from bench.timeline import fill
from sql import EventStore, Row
from sql.migrate import migrate

#: Events in the log beforehand; looks of a turn, batches between two looks, and events of a batch: as at 300 events a second.
EVENTS, LOOKS, BATCHES, BATCH = 200_000, 4, 5, 300
TURN = LOOKS * BATCHES * BATCH
#: Entries that reads leave before each look, so that each turn seals one whole batch of the audit.
ENTRIES = 250
#: Turns that do not count.
FIRST = 3
#: Entries as the HTTP process writes them of reads.
READS: LiteralString = """INSERT INTO threadline.audit (actor, client_id, action, subject, detail, key_id, address, request_id)
SELECT 'key:bff', 'default', 'timeline.read', gen_random_uuid()::text, '{"at": "2026-11-29T12:00:00.000+00:00"}',
    'c7a1f0e2-5b1d-4c52-9d2c-0d1d6f3f2a11', '10.0.0.7', md5(n::text)
FROM generate_series(1, %s) AS n"""


@dataclass(slots=True)
class Spent:
    """Nanoseconds of PostgreSQL's process and of ours."""

    server: int = 0
    own: int = 0


@dataclass(slots=True)
class Side:
    """A database with one worker's connection; `watch`: a connection beside. `entries`: how many reads leave before each look."""

    store: EventStore
    watch: psycopg.AsyncConnection[Any]
    rows: list[Row]
    entries: int
    turns: list[tuple[Spent, Spent]] = field(default_factory=list)

    async def turn(self, number: int) -> None:
        """Append the batches of a turn, and look after each few of them; note what either took."""
        appends, looks, sealed = Spent(), Spent(), 0
        first = number * LOOKS * BATCHES
        for look in range(first, first + LOOKS * BATCHES, BATCHES):
            await self.count(appends, partial(self.append, look))
            # By another process of PostgreSQL, uncounted: reads are the HTTP process's.
            await self.watch.execute(READS, [self.entries])
            sealed += await self.count(looks, self.look)
        if sealed != LOOKS * self.entries:
            raise RuntimeError("not all entries were sealed")
        self.turns.append((appends, looks))

    async def append(self, first: int) -> int:
        """Append the batches until the next look."""
        for batch in range(first, first + BATCHES):
            if (await self.store.append(self.rows[batch * BATCH : (batch + 1) * BATCH])).appended != BATCH:
                raise RuntimeError("the batch was not new")
        return 0

    async def look(self) -> int:
        """Do what the worker's sealer does in one look; return how many entries were sealed."""
        sealed = await self.store.seal_audit(timedelta(minutes=1))
        await self.store.audit_state(["file"])
        return sealed

    async def count(self, spent: Spent, work: Callable[[], Awaitable[int]]) -> int:
        """Do some work, and add what it took."""
        before, own = sum((await taken(self.watch)).values()), process_time_ns()
        done = await work()
        spent.own += process_time_ns() - own
        spent.server += sum((await taken(self.watch)).values()) - before
        return done


def report(name: str, turns: list[tuple[Spent, Spent]]) -> None:
    """Print what appends and looks took, and the ratios of both to appends alone."""
    each = [
        [statistics.median(getattr(spent[part], of) for spent in turns) for of in ("server", "own")] for part in (0, 1)
    ]
    say(
        f"{name}: an event {each[0][0] / TURN / 1000:.1f} µs of PostgreSQL's process, {each[0][1] / TURN / 1000:.1f} µs of ours"
    )
    say(
        f"  a look {each[1][0] / LOOKS / 1000:.0f} µs of PostgreSQL's process, {each[1][1] / LOOKS / 1000:.0f} µs of ours"
    )
    ratios = [1 + (looks.server + looks.own) / (appends.server + appends.own) for appends, looks in turns]
    say(f"  appends with looks, to appends without: {worded(ratios)}")


async def measure(folder: Path, turns: int) -> None:
    """Measure, and print."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(server.stop)
        await migrate(server.dsn("owner"))
        await fill(server, "threadline", EVENTS)
        rows = rows_of((turns + FIRST) * TURN)
        memory.settle()  # as the processes do
        sides: dict[str, Side] = {}
        for number, entries in enumerate((0, ENTRIES)):
            await server.execute("copy_database", name=f"side_{number}", template="threadline")
            store, watch = await watched(opened, server, f"side_{number}")
            name = f"an entry for {TURN // LOOKS // entries} events" if entries else "no entries"
            await store.audit_head()  # its connection is there from now on
            sides[name] = Side(store, watch, rows, entries)
        chance = random.Random(1)  # no secret
        for turn in range(turns + FIRST):
            for side in chance.sample(list(sides.values()), k=len(sides)):
                await side.turn(turn)
        for name, side in sides.items():
            report(name, side.turns[FIRST:])


def main() -> None:
    """Measure in a folder that is removed."""
    parser = alone.parser_of("auditing", __doc__)
    parser.add_argument("--turns", type=int, default=50, help="turns that count (50)")
    turns = parser.parse_args().turns
    alone.in_folder("auditing", lambda folder: measure(folder, turns))


if __name__ == "__main__":
    main()
