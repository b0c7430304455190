"""Measures what row-level security costs: processor time of PostgreSQL's processes, and of ours, for a page of a timeline and an append.

Two databases of the same content, one of them without policies, take turns; requests to the one without act as its login, as before
there were policies. The kernel counts the nanoseconds that a process had a processor (`/proc/PID/schedstat`), so that what else the
machine does hardly counts; each turn compares both, in an order by chance.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString
from unittest.mock import patch
from uuid import UUID

import psycopg

from app import memory
from app.api import routing
from app.embedded.postgres import Postgres
from bench import alone
from bench.processes import taken, watching
from bench.progress import say
from bench.reader import Reader, customers
from bench.store import rows_of
from bench.timeline import PAGE, fill
from sql import EventStore, Row
from sql.migrate import migrate
from sql.tenants import acting
from tests.integration.serving import listening, serving

CLIENT = "default"
#: Events in the log beforehand, of 100 messages a customer; pages of a turn; events of its batch.
EVENTS, PAGES, BATCH = 200_000, 40, 300
#: Takes the policies away, by which no role is separated any more.
PLAIN: LiteralString = """DO $$ DECLARE part record; BEGIN
    FOR part IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relrowsecurity LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', part.name);
    END LOOP;
END
$$"""


@dataclass(slots=True)
class Side:
    """A database, with the connections of one store to it. `clients`: for whom its transactions act; None: as the login. `watch`: a
    connection beside, which names the store's. `spent`: nanoseconds of each turn, of PostgreSQL's processes and of ours."""

    store: EventStore
    watch: psycopg.AsyncConnection[Any]
    clients: tuple[str, ...] | None
    rows: list[Row]
    port: int
    key: str
    spent: list[tuple[int, int]] = field(default_factory=list)

    async def turn(self, work: "Work", number: int) -> None:
        """Do one turn of `work`, and note what it took."""
        before, own = await taken(self.watch), time.process_time_ns()
        with acting(self.clients):
            await work(self, number)
        own = time.process_time_ns() - own
        after = await taken(self.watch)
        self.spent.append((sum(after.values()) - sum(before.get(pid, 0) for pid in after), own))


Work = Callable[[Side, int], Awaitable[None]]


def reading(ids: list[UUID]) -> Work:
    """Return the work of reading pages, of the same customers on each side."""

    async def read(side: Side, number: int) -> None:
        for page in range(number * PAGES, (number + 1) * PAGES):
            found = await side.store.timeline(CLIENT, ids[page * 7919 % len(ids)], limit=PAGE + 1)
            if len(found) != PAGE + 1:
                raise RuntimeError(f"no page of {PAGE}: {len(found)}")

    return read


def asking(ids: list[UUID]) -> Work:
    """Return the work of asking for pages by HTTP, with all that a request has beside: its credential, the masks, the audit."""

    async def ask(side: Side, number: int) -> None:
        reader = await Reader.open(side.port, side.key)
        # What a route would act for is what the side acts for.
        with patch.object(routing, "acting", lambda _: acting(side.clients)):
            for page in range(number * PAGES, (number + 1) * PAGES):
                at = f"/api/customers/{ids[page * 7919 % len(ids)]}/interactions?limit={PAGE}"
                if (await reader.get(at))[0] != 200:
                    raise RuntimeError("no page")
        reader.writer.close()

    return ask


async def appending(side: Side, number: int) -> None:
    """Append a batch, the same on each side."""
    if (await side.store.append(side.rows[number * BATCH : (number + 1) * BATCH])).appended != BATCH:
        raise RuntimeError("the batch was not new")


def worded(found: list[float]) -> str:
    """Return the median of ratios with its interval of 95 % (of 2,000 samples with replacement), and the middle half of the ratios."""
    chance = random.Random(1)  # no secret
    medians = sorted(statistics.median(chance.choices(found, k=len(found))) for _ in range(2000))
    low, _, high = statistics.quantiles(found, n=4)
    return (
        f"{statistics.median(found):.3f} (95 %: {medians[50]:.3f} to {medians[-51]:.3f}; "
        f"half of the turns {low:.3f} to {high:.3f})"
    )


async def compare(name: str, sides: dict[str, Side], work: Work, turns: int, each: int) -> None:
    """Let the sides take turns, after some that do not count; print what one page or event costs, and the ratios."""
    chance = random.Random(1)  # no secret
    for number in range(turns + 5):
        for side in chance.sample(list(sides.values()), k=len(sides)):
            side.spent = side.spent if number > 5 else []
            await side.turn(work, number)
    plain = sides["without policies"]
    for how, side in sides.items():
        costs = [statistics.median(spent[part] for spent in side.spent) / each / 1000 for part in (0, 1)]
        say(f"{name}, {how}: {costs[0]:.1f} µs of PostgreSQL's process, {costs[1]:.1f} µs of ours")
        if side is not plain:
            for what, of in (("PostgreSQL's process", [0]), ("ours", [1]), ("both", [0, 1])):
                pairs = zip(side.spent, plain.spent, strict=True)
                say(
                    f"  of {what}: {worded([sum(one[n] for n in of) / sum(other[n] for n in of) for one, other in pairs])}"
                )


async def measure(folder: Path, turns: int) -> None:
    """Measure both, and print."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(server.stop)
        await migrate(server.dsn("owner"))
        await fill(server, "threadline", EVENTS)
        ids = await customers(server.dsn("owner"))
        rows = rows_of((turns + 5) * BATCH)  # at least one event a webhook
        memory.settle()  # as the processes do
        await server.execute("copy_database", name="plain", template="threadline")
        async with await psycopg.AsyncConnection.connect(server.dsn("owner", "plain")) as db:
            await db.execute(PLAIN)

        async def side(database: str, clients: tuple[str, ...] | None) -> Side:
            dsn = server.dsn("service", database)
            served = await opened.enter_async_context(serving(dsn))
            http = await opened.enter_async_context(listening(served))
            opened.callback(asyncio.create_task(served.api.audit.run()).cancel)
            key, port = await served.key("timeline:read", "personal:read"), http.base_url.port or 0
            watch = await watching(opened, server, database)
            return Side(served.store, watch, clients, rows, port, key)

        policed = await side("threadline", (CLIENT,))
        pages = {"with policies": policed, "without policies": await side("plain", None)}
        pages["without policies, but a tenant"] = await side("plain", (CLIENT,))
        await compare("page of 50, of the store", pages, reading(ids), turns, PAGES)
        await compare("page of 50, by HTTP", pages, asking(ids), turns, PAGES)
        policed.clients = None
        del pages["without policies, but a tenant"]
        await compare(f"append of {BATCH} events, of the worker", pages, appending, turns, BATCH)


def main() -> None:
    """Measure in a folder that is removed."""
    parser = alone.parser_of("separation", __doc__)
    parser.add_argument("--turns", type=int, default=150, help="turns that count (150)")
    turns = parser.parse_args().turns
    alone.in_folder("separation", lambda folder: measure(folder, turns))


if __name__ == "__main__":
    main()
