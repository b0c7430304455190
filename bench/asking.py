"""Requests messages from a running installation, by HTTP and by Kafka, and waits until they are committed as sent."""

import asyncio
import time
from typing import Any

import aiohttp
import httpx
import orjson
from aiokafka import AIOKafkaProducer

from agents.telling.metrics import EVERY as RELAY_LAG_EVERY
from app.kafka import client_args
from bench import provider
from tests.support.stack import Stack

#: Messages in a request and concurrent requests, for batches and for single messages.
BATCHES, SINGLY = (50, 4), (1, 64)
#: Most seconds of any wait; seconds between polls, each of which costs the worker a page of metrics.
PATIENCE, LOOK = 300.0, 0.2


def request_of(name: str, number: int) -> dict[str, Any]:
    """Return the request for message `number` of the run `name`."""
    content = {"subject": "Hello", "text": f"{name} {number}"}
    return {
        "messageId": f"{name}-{number}",
        "to": f"a{number % 1000}@example.com",
        "content": content,
        **provider.REQUEST,
    }


async def by_http(stack: Stack, key: str, name: str, count: int, how: tuple[int, int] = BATCHES) -> float:
    """Request `count` messages by HTTP; return messages a second until the last is committed as sent. `how`: messages
    in a request, and concurrent requests."""
    size, lanes = how
    bodies = [
        orjson.dumps([request_of(name, number) for number in range(start, min(start + size, count))])
        for start in range(0, count, size)
    ]
    left = iter(bodies)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    async with httpx.AsyncClient(timeout=60) as client, aiohttp.ClientSession(headers=headers) as posts:

        async def lane() -> None:
            for body in left:
                async with posts.post(f"{stack.url}/v1/messages", data=body) as answer:
                    if answer.status != 202:
                        raise RuntimeError(f"refused: {answer.status} {(await answer.text())[:300]}")

        before, began = await done(stack, client), time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(lanes)))
        await sent(stack, client, before, count)
        return count / (time.perf_counter() - began)


async def by_kafka(stack: Stack, client: str, name: str, count: int) -> float:
    """Do the same by Kafka."""
    options = {**client_args(stack.settings.kafka), "acks": "all", "enable_idempotence": True}
    async with httpx.AsyncClient() as http, AIOKafkaProducer(**options) as producer:
        before, began = await done(stack, http), time.perf_counter()
        for number in range(count):
            await producer.send(
                "messages.requested.email", orjson.dumps(request_of(name, number) | {"clientId": client})
            )
        await producer.flush()
        await sent(stack, http, before, count)
        return count / (time.perf_counter() - began)


async def done(stack: Stack, client: httpx.AsyncClient) -> float:
    """Return how many messages the worker has committed as sent. From its metrics, since counting rows needs a scan."""
    return await _metric(stack, client, 'threadline_messages_total{state="sent"} ')


async def relayed(stack: Stack, client: httpx.AsyncClient) -> None:
    """Wait until the whole log is relayed, so that the next measurement has the machine to itself."""
    deadline = time.monotonic() + PATIENCE
    await asyncio.sleep(RELAY_LAG_EVERY)
    while (behind := await _metric(stack, client, "threadline_relay_lag_events ")) > 0:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the relay is still {behind:.0f} events behind after {PATIENCE} s")
        await asyncio.sleep(LOOK)


async def _metric(stack: Stack, client: httpx.AsyncClient, name: str) -> float:
    page = (await client.get(f"http://127.0.0.1:{stack.worker}/metrics")).text
    return next((float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name)), 0.0)


async def sent(stack: Stack, client: httpx.AsyncClient, before: float, count: int) -> None:
    """Wait until `count` more are sent than `before`. Takes an existing client: making one costs as much as 30
    messages."""
    deadline = time.monotonic() + PATIENCE
    while (so_far := await done(stack, client) - before) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{so_far:.0f} of {count} sent within {PATIENCE} s")
        await asyncio.sleep(LOOK)
