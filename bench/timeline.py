"""Measures the time of a timeline page from a large log and from a small one, and of rebuilding the large one."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg

from app.embedded.postgres import Postgres
from bench import alone
from bench.progress import say
from bench.reader import Reader, at, customers, key
from sql import EventStore
from sql.handles import Owned
from sql.migrate import migrate
from sql.personal import seal_value
from sql.rebuild import rebuild
from tests.support.keys import SEAL
from tests.support.stack import Stack

PAGE = 50
#: Pages read before times count.
WARM_UP = 200

#: Messages of a customer.
MESSAGES = 100

#: Adds messages with two events each, `MESSAGES` a customer. Each says something else, as a page whose texts were all alike would be
#: decrypted once.
FILL = """INSERT INTO threadline.events (id, type, client_id, channel, direction, source, source_event_id, provider,
    provider_message_id, handle_kind, occurred_at, received_at, payload, reference, handle_id)
SELECT threadline.event_id('default', 'twilio', n || t), t, 'default', 'sms', 'outbound', 'twilio', n || t, 'twilio', 'SM' || n,
    'phone', at, at + interval '1 s', jsonb_build_object('content', jsonb_build_object('text', says.said)),
    threadline.provider_reference('default', 'twilio', 'SM' || n),
    made.id
FROM generate_series(%(first)s::bigint, %(last)s) AS n
JOIN unnest(%(numbers)s::bigint[], %(ids)s::uuid[]) AS made (number, id) ON made.number = n / 100
JOIN unnest(%(said)s::text[]) WITH ORDINALITY AS says (said, place) ON says.place = n - %(first)s + 1,
    unnest(ARRAY['UserMessageSent', 'MessageDelivered']) AS t,
    LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 s' AS at) AS clock"""


async def sealed(store: EventStore, first: int, last: int) -> dict[str, Any]:
    """Make the handles of messages from one number to another; return them, with what each message says as it is sealed."""
    numbers = range(first // MESSAGES, last // MESSAGES + 1)
    owned = [Owned("default", "phone", f"+1555{number:07}") for number in numbers]
    known = await store._handles(owned)
    keys = [await store._key(one, known[one]) for one in owned]
    said = [
        seal_value(f"Your order {number} is on its way", b"payload.content.text", keys[number // MESSAGES - numbers[0]])
        for number in range(first, last + 1)
    ]
    return {
        "first": first,
        "last": last,
        "numbers": list(numbers),
        "ids": [known[one].id for one in owned],
        "said": said,
    }


async def fill(server: Postgres, name: str, events: int) -> tuple[float, float]:
    """Put events into an empty database, and rebuild. Return the rebuild's events/s, and the database's size in MiB."""
    owner = server.dsn("owner", name)
    began = time.perf_counter()
    async with (
        await psycopg.AsyncConnection.connect(owner, autocommit=True) as db,
        await EventStore.open(server.dsn("service", name), SEAL, pool=1) as store,
    ):
        await db.execute("SET search_path = threadline")
        for first in range(0, events // 2, 50_000):
            last = min(first + 50_000, events // 2) - 1
            await db.execute(FILL, await sealed(store, first, last))
        await db.execute("VACUUM ANALYZE threadline.events")
    say(f"{events:,} events made in {time.perf_counter() - began:.0f} s")
    began = time.perf_counter()
    folded = await rebuild(owner)
    took = time.perf_counter() - began
    if folded != events:
        raise RuntimeError(f"{folded} of {events} events were folded")
    say(f"{events:,} events rebuilt in {took:.0f} s")
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as db:
        for table in ("interactions", "handles", "assignments"):
            await db.execute(f"VACUUM ANALYZE threadline.{table}")
        row = await (await db.execute("SELECT pg_database_size(current_database())")).fetchone()
    async with await psycopg.AsyncConnection.connect(server.dsn("superuser", name), autocommit=True) as db:
        await db.execute("CHECKPOINT")
    assert row is not None
    return folded / took, row[0] / 2**20


@dataclass(slots=True)
class Side:
    """One of the two databases: its own HTTP process, a store, and the seconds of each page."""

    api: Reader
    store: EventStore
    customers: list[UUID]
    http: list[float]
    calls: list[float]

    async def read(self, number: int) -> None:
        """Read a page by HTTP and one by the store's call, of different customers. Raises RuntimeError if one is
        incomplete."""
        one, other = (self.customers[n * 7919 % len(self.customers)] for n in (2 * number, 2 * number + 1))
        began = time.perf_counter()
        status, body = await self.api.get(f"/api/customers/{one}/interactions?limit={PAGE}")
        self.http.append(time.perf_counter() - began)
        began = time.perf_counter()
        rows = await self.store.timeline("default", other, limit=PAGE + 1)
        self.calls.append(time.perf_counter() - began)
        if number < WARM_UP and (status != 200 or len(orjson.loads(body)["interactions"]) != PAGE):
            raise RuntimeError(f"no page of {PAGE}: {status}")
        if len(rows) != PAGE + 1:
            raise RuntimeError(f"the store gave {len(rows)} interactions")


async def measure(folder: Path, large: int = 5_000_000, small: int = 50_000, reads: int = 5000) -> dict[Any, Any]:
    """Read the two in turn. Return {("large" or "small", "http" or "store"): {"p50", "p99"} of a page in milliseconds,
    "rebuild": events/s, "size": MiB of the large database}."""
    found: dict[Any, Any] = {}
    async with Stack(folder) as stack, contextlib.AsyncExitStack() as opened:
        served: dict[str, tuple[int, str, EventStore, list[UUID]]] = {}
        for name, events in (("small", small), ("large", large)):
            await stack.postgres.execute("copy_database", name=name, template="template1")
            await migrate(stack.postgres.dsn("owner", name))
            found["rebuild"], found["size"] = await fill(stack.postgres, name, events)
            service = stack.postgres.dsn("service", name)
            token = await key(service)
            child = await stack.start("serve", THREADLINE_POSTGRES=orjson.dumps({"dsn": service}).decode())
            stack.children[name] = child
            store = await opened.enter_async_context(await EventStore.open(service, SEAL, pool=1))
            served[name] = (stack.door, token, store, await customers(stack.postgres.dsn("owner", name)))
            stack.move()
        # Connected only now: the door closes a connection that is idle for as long as the larger one is filled.
        sides = {
            name: Side(await Reader.open(port, token), store, ids, [], [])
            for name, (port, token, store, ids) in served.items()
        }
        say(f"{reads:,} pages from each, in turn, by HTTP and by the store's call")
        for number in range(reads + WARM_UP):
            for side in sides.values():
                await side.read(number)
        for name, side in sides.items():
            side.api.writer.close()
            for how, times in (("http", side.http[WARM_UP:]), ("store", side.calls[WARM_UP:])):
                found[name, how] = {"p50": at(0.5, times), "p99": at(0.99, times)}
    return found


if __name__ == "__main__":
    alone.part("timeline", __doc__)
