"""A service that sends messages by moody providers."""

import asyncio
import random
import time
from collections.abc import Sequence

import httpx
import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.kafka import client_args
from tests.faults.senders import request_of
from tests.support.stack import Stack

BATCH = 10


class Service:
    """Requests messages: half by HTTP, half by Kafka, at a steady rate, each until it is acknowledged."""

    def __init__(
        self, stack: Stack, providers: Sequence[str], key: str, count: int, rate: float, client: str = "default"
    ) -> None:
        self.stack, self.providers, self.key, self.count, self.rate = stack, providers, key, count, rate
        self.client = client
        self.accepted = self.repeated = 0
        self.began = 0.0

    async def run(self) -> None:
        """Request all messages; return when each is acknowledged."""
        self.began = time.monotonic()
        await asyncio.gather(self._by_http(), self._by_kafka())

    async def _pace(self, done: int) -> None:
        await asyncio.sleep(max(0.0, self.began + 2 * done / self.rate - time.monotonic()))

    async def _by_http(self) -> None:
        async with httpx.AsyncClient(timeout=15, verify=False) as client:
            for start in range(0, self.count // 2, BATCH):
                await self._pace(start)
                numbers = range(start, min(start + BATCH, self.count // 2))
                headers = {"authorization": f"Bearer {self.key}", "idempotency-key": f"batch-{start}"}
                body = orjson.dumps([request_of(self.providers, number) for number in numbers])
                while not await self._posted(client, body, headers | {"content-type": "application/json"}):
                    self.repeated += 1
                    await asyncio.sleep(random.uniform(0.05, 0.5))
                self.accepted += len(numbers)

    async def _posted(self, client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> bool:
        try:
            answer = await client.post(f"{self.stack.url}/v1/messages", content=body, headers=headers)
        except httpx.TransportError:
            return False
        if answer.status_code < 500 and answer.status_code not in (202, 409, 429):
            raise RuntimeError(f"refused for good: {answer.status_code} {answer.text[:500]}")
        return answer.status_code == 202

    async def _by_kafka(self) -> None:
        number, first = 0, self.count // 2
        while first + number < self.count:
            try:
                async with AIOKafkaProducer(**client_args(self.stack.settings.kafka), acks="all") as producer:
                    while first + number < self.count:
                        await self._pace(number)
                        document = request_of(self.providers, first + number) | {"clientId": self.client}
                        async with asyncio.timeout(10):
                            await producer.send_and_wait("messages.requested", orjson.dumps(document))
                        self.accepted += 1
                        number += 1
            except (KafkaError, OSError, TimeoutError):
                self.repeated += 1
                await asyncio.sleep(0.3)
