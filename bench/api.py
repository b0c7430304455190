"""The read API: how long from the POST until a webhook is in its customer's timeline, and how long a page takes."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from hashlib import md5
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import orjson
import psycopg

from app.access import mint
from bench import load, traffic
from bench.stack import Stack
from sql import EventStore
from sql.migrate import migrate
from sql.rebuild import rebuild

#: Events of `interactions` messages, two each, a hundred messages a customer.
FILL = """INSERT INTO threadline.events (id, type, client_id, channel, direction, source, source_event_id, provider,
    provider_message_id, handle_kind, handle_value, occurred_at, received_at, payload, reference, handle_id)
SELECT threadline.event_id('default', 'twilio', n || t), t, 'default', 'sms', 'outbound', 'twilio', n || t, 'twilio', 'SM' || n,
    'phone', '+1555' || lpad((n / 100)::text, 7, '0'), at, at + interval '1 s', '{"content": {"text": "Your order is on its way"}}',
    threadline.provider_reference('default', 'twilio', 'SM' || n),
    threadline.handle_id('default', 'phone' || E'\\x1f' || '+1555' || lpad((n / 100)::text, 7, '0'))
FROM generate_series(%(first)s::bigint, %(last)s) AS n, unnest(ARRAY['UserMessageSent', 'MessageDelivered']) AS t,
    LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 s' AS at) AS clock"""


def customer_of(number: str) -> UUID:
    """The id of the customer whom nothing but this phone number is known of."""
    return UUID(md5(f"default\x1fphone\x1f{number}".encode(), usedforsecurity=False).hexdigest())


class Reader:
    """One keep-alive connection to the API; no HTTP library, so that it measures the API and not itself."""

    @classmethod
    async def open(cls, port: int, token: str) -> Self:
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.head = f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n\r\n"
        return self

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self.head}".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)


async def key(dsn: str) -> str:
    """A new key that may read."""
    key_id, token, fingerprint = mint()
    async with await EventStore.open(dsn, pool=1) as store:
        await store.create_api_key(key_id, "bench", "default", ["timeline:read"], fingerprint)
    return token


def at(share: float, times: Sequence[float]) -> float:
    """That quantile, in milliseconds."""
    return round(statistics.quantiles(times, n=1000, method="inclusive")[round(share * 1000) - 1] * 1000, 2)


async def visible(stack: Stack, token: str, number: int) -> float:
    """Seconds from the beginning of one POST until the API shows it."""
    phone = f"+1666{number:07d}"
    form = {
        "MessageSid": f"SMv{number}",
        "MessageStatus": "sent",
        "AccountSid": "AC1",
        "From": "+18005550199",
        "To": phone,
    }
    request, path = (
        traffic.twilio(form).raw(f"127.0.0.1:{stack.door}"),
        f"/api/customers/{customer_of(phone)}/interactions",
    )
    api = await Reader.open(stack.door, token)
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.door)
    began = time.perf_counter()
    writer.write(request)
    if b" 200 " not in await reader.readline():
        raise RuntimeError("a sample was refused")
    while (await api.get(path))[0] != 200:
        if time.perf_counter() - began > 30:
            raise RuntimeError("a sample was not visible within 30 s")
        await asyncio.sleep(0.002)
    took = time.perf_counter() - began
    for each in (writer, api.writer):
        each.close()
    return took


async def latency(folder: Path, seconds: int = 30, rate: int = 500) -> dict[str, Any]:
    """{"p50", "p99", "samples"} in milliseconds, while `rate` webhooks/s come in."""
    async with Stack(folder) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        token = await key(stack.postgres.dsn("service"))
        file, host = stack.folder / "requests.bin", f"127.0.0.1:{stack.door}"
        load.write(file, (post.raw(host) for post in traffic.posts(rate * (seconds + 4))))
        loading = asyncio.create_task(
            load.start(stack.door, file, seconds=seconds * 2, connections=16, once=True, rate=rate)
        )
        await asyncio.sleep(3)
        samples, number = [], 0
        while not loading.done() and number < seconds * 20:
            samples.append(await visible(stack, token, number))
            number += 1
            await asyncio.sleep(0.03)
        await loading
    return {"p50": at(0.5, samples), "p99": at(0.99, samples), "samples": len(samples)}


async def fill(owner: str, events: int) -> float:
    """Put so many events into an empty database, and rebuild; returns the rebuild's events/s."""
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        for first in range(0, events // 2, 50_000):
            last = min(first + 50_000, events // 2) - 1
            await db.execute(FILL, {"first": first, "last": last})
        await db.execute("VACUUM ANALYZE threadline.events")
    began = time.perf_counter()
    folded = await rebuild(owner)
    took = time.perf_counter() - began
    if folded != events:
        raise RuntimeError(f"{folded} of {events} events were folded")
    async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as db:
        await db.execute("VACUUM ANALYZE threadline.interactions")
        await db.execute("CHECKPOINT")
    return folded / took


async def pages(folder: Path, large: int = 5_000_000, small: int = 50_000, reads: int = 3000) -> dict[str, Any]:
    """{"large", "small": {"p50", "p99"} in milliseconds of a page of 50 over HTTP, "ratio" of the p99s, "rebuild"
    events/s}, the two read in turn."""
    found: dict[str, Any] = {}
    async with Stack(folder) as stack:
        readers, times = {}, {}
        for name, events in (("small", small), ("large", large)):
            await stack.postgres.execute("copy_database", name=name, template="template1")
            await migrate(stack.postgres.dsn("owner", name))
            found["rebuild"] = await fill(stack.postgres.dsn("owner", name), events)
            token = await key(stack.postgres.dsn("service", name))
            dsn = orjson.dumps({"dsn": stack.postgres.dsn("service", name)}).decode()
            stack.children[name] = await stack.start("serve", THREADLINE_POSTGRES=dsn)
            readers[name], times[name] = (await Reader.open(stack.door, token), events // 200), []
            stack.move()
        for number in range(reads + 200):
            for name, (reader, customers) in readers.items():
                path = f"/api/customers/{customer_of(f'+1555{number * 7919 % customers:07d}')}/interactions?limit=50"
                began = time.perf_counter()
                status, body = await reader.get(path)
                if number >= 200:
                    times[name].append(time.perf_counter() - began)
                elif status != 200 or len(orjson.loads(body)["interactions"]) != 50:
                    raise RuntimeError(f"no page of 50: {status}")
        for name, (reader, _) in readers.items():
            reader.writer.close()
            found[name] = {"p50": at(0.5, times[name]), "p99": at(0.99, times[name])}
    found["ratio"] = round(found["large"]["p99"] / found["small"]["p99"], 3)
    return found
