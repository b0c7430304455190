"""Measures sending: messages a second from HTTP and from Kafka to the committed `UserMessageSent`, the release of held
messages, and latency.

Everything runs on the same cores: the load generator, the HTTP process, Kafka, the worker, PostgreSQL, and the
provider, which answers at once. The limit is bare httpx posting the same messages to the same provider, with its best
number of connections.
"""

import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from app.clients.configured import Clients
from app.http.tokens import mint
from app.sending.incoming import new_message
from app.sending.requests import read_request
from bench import alone, provider
from bench.asking import SINGLY, by_http, by_kafka, done, relayed, request_of, sent
from bench.progress import say
from sql import EventStore, NewMessage
from tests.support.keys import SEAL
from tests.support.stack import Stack

#: Numbers of connections tried for the limit; httpx is fastest with few.
TRIED = (1, 4, 16)
CLIENTS = [f"client-{number}" for number in range(10)]
Figures = dict[str, Any]


async def measure(folder: Path, count: int, due: int, seconds: int) -> Figures:
    """Send `count` messages by HTTP in batches, singly, and by Kafka; release `due` held ones; measure latency for
    `seconds`, twice. Return the figures."""
    async with provider.running() as url:
        sources = {f"resend-{name}": _source(name, url) for name in CLIENTS}
        async with Stack(folder, sources=sources, sending={"concurrency": 256}) as stack:
            keys = await _prepare(stack)
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            say("warming up")
            await by_http(stack, keys[CLIENTS[0]], "warm", min(2000, count))
            await provider.arrivals(url)
            found: Figures = {"bare": await _bare(url, max(500, count // 8))}
            say(f"bare httpx: {found['bare']:,.0f}/s")
            found["http"] = await by_http(stack, keys[CLIENTS[0]], "http", count)
            say(f"by HTTP: {found['http']:,.0f}/s")
            found["singly"] = await by_http(stack, keys[CLIENTS[4]], "singly", count, SINGLY)
            say(f"by HTTP, one message a request: {found['singly']:,.0f}/s")
            found["kafka"] = await by_kafka(stack, CLIENTS[1], "kafka", count)
            say(f"by Kafka: {found['kafka']:,.0f}/s")
            found["bare"] = statistics.mean([found["bare"], await _bare(url, max(500, count // 8))])
            await provider.arrivals(url)
            found |= await _due(stack, url, due)
            say(f"{due:,} due at once: {found['release']:,.1f} s, worst/best of ten clients {found['fairness']:.2f}")
            async with httpx.AsyncClient() as http:
                await relayed(stack, http)
            found["quiet"] = await _latency(stack, keys[CLIENTS[2]], url, "quiet", seconds)
            flood = asyncio.create_task(by_kafka(stack, CLIENTS[3], "flood", 100 * seconds * 8))
            await asyncio.sleep(1)
            found["flooded"] = await _latency(stack, keys[CLIENTS[2]], url, "flooded", seconds)
            found["flood"] = await flood
            say(f"latency p99: {found['quiet'][1]:.0f} ms; under a flood: {found['flooded'][1]:.0f} ms")
    return found


def _source(client: str, url: str) -> dict[str, Any]:
    return {**provider.SETTINGS, "adapter": "resend", "client": client, "api_url": url, "sender": "shop@example.com"}


async def _prepare(stack: Stack) -> dict[str, str]:
    """Configure each client; return an API key for each."""
    keys = {}
    async with await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=1) as store:
        for name in CLIENTS:
            route = {"channel": "email", "account": f"resend-{name}", "concurrency": 128}
            await store.set_client(name, {"channels": [route]}, "bench")
            id, token, hash = mint()
            await store.create_api_key(id, name, name, ["messages:write"], hash)
            keys[name] = token
    return keys


async def _bare(url: str, count: int) -> float:
    """Return the posts a second of bare httpx, with the best number of connections."""
    return max([await _bare_at(url, count, connections) for connections in TRIED])


async def _bare_at(url: str, count: int, connections: int) -> float:
    headers, left = {"authorization": f"Bearer {provider.SETTINGS['api_key']}"}, iter(range(count))
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def lane() -> None:
            for number in left:
                (await client.post(f"{url}/emails", json=provider.post(number), headers=headers)).raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(connections)))
        return count / (time.perf_counter() - began)


async def _due(stack: Stack, url: str, count: int) -> Figures:
    """Let held messages of ten clients become due at once, half of them of one client. Return the seconds to the last
    send, and the worst client's rate relative to the best, over the number of messages that each has at least."""
    each = count // 2 // len(CLIENTS)
    wanted = {name: each + (count - each * len(CLIENTS) if name == CLIENTS[0] else 0) for name in CLIENTS}
    at = datetime.now(UTC) + timedelta(seconds=max(10.0, count / 2500))
    async with await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=2) as store:
        clients = Clients(store, stack.settings)
        for name, many in wanted.items():
            client = await clients.client(name)
            for start in range(0, many, 1000):
                messages = []
                for number in range(start, min(start + 1000, many)):
                    request = request_of(f"due-{name}", number) | {"notBefore": at.isoformat()}
                    message = new_message(read_request(request, client_id=name), client, datetime.now(UTC))
                    assert isinstance(message, NewMessage)
                    messages.append(message._replace(due_at=at))
                await store.accept(messages)
    if (late := (datetime.now(UTC) - at).total_seconds()) > 0:
        raise RuntimeError(f"accepting took {late:.0f} s longer than they were held")
    moment = time.monotonic() + (at - datetime.now(UTC)).total_seconds()
    await provider.arrivals(url)
    async with httpx.AsyncClient() as http:
        await sent(stack, http, await done(stack, http), count)
    came: dict[str, list[float]] = {name: [] for name in CLIENTS}
    for text, when in await provider.arrivals(url):
        came[text.rsplit(" ", 1)[0].removeprefix("due-")].append(when)
    rates = [each / (sorted(times)[each - 1] - moment) for times in came.values()]
    return {
        "release": max(max(times) for times in came.values()) - moment,
        "fairness": max(rates) / min(rates),
        "due": count,
    }


async def _latency(stack: Stack, key: str, url: str, name: str, seconds: int) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds, from the request to the provider's receipt, at 100 a second. By aiohttp,
    which writes a request at once: on a busy machine, each of httpx's many steps waits for the processor."""
    began: dict[str, float] = {}
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as client:

        async def ask(number: int) -> None:
            request = request_of(name, number)
            began[request["content"]["text"]] = time.monotonic()
            async with client.post(f"{stack.url}/v1/messages", json=request) as answer:
                answer.raise_for_status()

        start, tasks = time.monotonic(), []
        for number in range(100 * seconds):
            await asyncio.sleep(max(0.0, start + number / 100 - time.monotonic()))
            tasks.append(asyncio.create_task(ask(number)))
        await asyncio.gather(*tasks)
    took: list[float] = []
    while len(took) < 100 * seconds:
        await asyncio.sleep(1)
        came = await provider.arrivals(url, forget=False)
        took = sorted((when - began[text]) * 1000 for text, when in came if text in began)
    return took[len(took) // 2], took[int(len(took) * 0.99)]


if __name__ == "__main__":
    alone.part("sending", __doc__)
