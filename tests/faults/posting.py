"""Posts webhooks until each is acknowledged, as providers do."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx

from tests.faults.providers import Webhook
from tests.support.stack import Stack

LANES = 8


class Provider:
    """Posts each webhook until it is acknowledged: shuffled, some twice, at a steady rate."""

    def __init__(self, stack: Stack, posts: Sequence[Webhook], rate: float, seed: int) -> None:
        rng = random.Random(seed)
        twice = [n for n in range(len(posts)) if rng.random() < 0.2]
        order = [(n + rng.uniform(0, 200), n) for n in [*range(len(posts)), *twice]]
        self.queue = [n for _, n in sorted(order, reverse=True)]
        self.stack, self.posts, self.rate = stack, posts, rate
        self.acknowledged: set[int] = set()
        self.requests = self.refused = 0
        #: The longest time from the first attempt to the acknowledgement of one webhook, in seconds.
        self.slowest = 0.0

    async def run(self) -> None:
        began, total = time.monotonic(), len(self.queue)

        async def lane() -> None:
            async with httpx.AsyncClient(timeout=15, verify=False) as client:
                while self.queue:
                    number = self.queue.pop()
                    ahead = (total - len(self.queue)) / self.rate - (time.monotonic() - began)
                    if ahead > 0:
                        await asyncio.sleep(ahead)
                    await self._until_acknowledged(client, number)

        await asyncio.gather(*(lane() for _ in range(LANES)))

    async def _until_acknowledged(self, client: httpx.AsyncClient, number: int) -> None:
        webhook, began = self.posts[number], time.monotonic()
        while True:
            self.requests += 1
            post = webhook.request(self.stack.url, datetime.now(UTC))
            try:
                answer = await client.request(post.method, post.url, content=post.body, headers=post.headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                self.acknowledged.add(number)
                self.slowest = max(self.slowest, time.monotonic() - began)
                return
            if answer is not None and answer.status_code == 503 and "retry-after" not in answer.headers:
                raise RuntimeError(f"a 503 without Retry-After: {answer.text}")
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                raise RuntimeError(f"refused for good: {answer.status_code} {answer.text} ({webhook.source})")
            self.refused += 1
            await asyncio.sleep(random.uniform(0.05, 0.5))
