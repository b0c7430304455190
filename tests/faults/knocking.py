"""Posts hostile webhooks to a real door, each signed with its provider's test secret. Each must get an answer in time,
never a 5xx or a closed connection, and the worker must read each one that the door kept."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from rich.console import Console

from adapters.simulating import Post
from agents import GROUP, TOPICS
from app.kafka import client_args
from app.simulator import SIMULATED, webhooks_of
from tests.faults.mutations import mutated
from tests.faults.poison import SIZES, WEBHOOKS
from tests.faults.trees import Sample, samples
from tests.fixtures import accounts
from tests.support.lag import measure_lag
from tests.support.stack import Stack

NAMES = [name for name, simulator in SIMULATED.items() if simulator.webhooks is not None and samples(name)]
LANES = 8
#: Most seconds that the door may take for one webhook, on a machine that runs everything else too.
PATIENCE = 20.0
#: Most bytes of a URL that the HTTP client writes.
_URL = 30_000
#: Headers that the HTTP client sets.
_NOT_SENT = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


@dataclass
class Outcome:
    """The counts of a run. `dropped`: connections that ended without an answer; `slowest`: in seconds."""

    seed: int
    posts: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    dropped: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    providers: int = 0
    kept: int = 0
    read: int = 0
    slowest: float = 0.0
    lag: int = 0
    same_processes: bool = False
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether each webhook was answered, and all that were kept were read."""
        answered = not (self.dropped or self.broken) and self.slowest <= PATIENCE
        return answered and self.same_processes and not self.lag and self.kept == self.read > 0


class Run:
    """One run on a stack."""

    def __init__(self, stack: Stack, seed: int, posts: int) -> None:
        self.stack, self.outcome, self._left = stack, Outcome(seed, providers=len(NAMES)), posts
        self._rng, self._samples = Random(seed), {name: samples(name) for name in NAMES}

    async def run(self) -> Outcome:
        """Post all webhooks; return the counts."""
        began, pids = time.monotonic(), self._pids()
        await asyncio.gather(*(self._lane() for _ in range(LANES)))
        await self._settled()
        self.outcome.same_processes = pids == self._pids() and all(c.alive for c in self.stack.children.values())
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    async def _lane(self) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            while self._left > 0:
                self._left -= 1
                await self._knock(client)

    async def _knock(self, client: httpx.AsyncClient) -> None:
        name = self._rng.choice(NAMES)
        sample = self._rng.choice(self._samples[name])
        way, post = self._post(sample)
        if len(post.url) > _URL:
            return
        headers = [(key.lower(), value) for key, value in post.headers.items() if key.lower() not in _NOT_SENT]
        began = time.monotonic()
        self.outcome.posts += 1
        try:
            answer = await client.request(
                post.method, post.url, content=post.body,
                headers=[(key.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for key, value in headers],
            )  # fmt: skip
        except httpx.HTTPError as error:
            self.outcome.dropped.append(f"{name}/{sample.name} {way}: {type(error).__name__}")
            return
        self.outcome.slowest = max(self.outcome.slowest, time.monotonic() - began)
        self.outcome.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            self.outcome.broken.append(f"{name}/{sample.name} {way}: {answer.status_code}")

    def _post(self, sample: Sample) -> tuple[str, Post]:
        """Return a changed request and the way of the change: signed again, or with its old signature if it cannot be
        signed."""
        rng, root = self._rng, sample.tree()
        size = rng.choices([size for size, _ in SIZES], [share for _, share in SIZES])[0]
        way = mutated(root, rng, size)
        url, body = sample.written(root)
        account = accounts(sample.provider, sample.name)
        door = f"{self.stack.url}/webhooks/aggregate/{sample.provider}"
        query = url.partition("?")[2]
        post = Post(f"{door}?{query}" if query else door, body, dict(sample.headers), sample.method)
        with contextlib.suppress(Exception):  # a simulated provider cannot sign every hostile request
            given = account.settings | {"private_key": account.private_key}
            post = webhooks_of(sample.provider).sign(post, given, datetime.now(UTC))
        return way, post

    def _pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self.stack.children.items()}

    async def _settled(self) -> None:
        """Wait until the worker has read all webhooks that were kept."""
        deadline = time.monotonic() + 120
        async with await psycopg.AsyncConnection.connect(self.stack.postgres.dsn("owner"), autocommit=True) as db:
            while time.monotonic() < deadline:
                lag = await measure_lag(client_args(self.stack.settings.kafka), GROUP, TOPICS)
                query = "SELECT coalesce(sum(records), 0)::bigint FROM threadline.raw_webhooks"
                (self.outcome.read,) = await (await db.execute(query)).fetchone() or (0,)
                self.outcome.kept, self.outcome.lag = await _kept(self.stack), sum(lag.values())
                if not self.outcome.lag and self.outcome.kept == self.outcome.read:
                    return
                await asyncio.sleep(0.5)


async def _kept(stack: Stack) -> int:
    """Return the number of webhooks on Kafka."""
    async with AIOKafkaConsumer(**client_args(stack.settings.kafka)) as consumer:
        partitions = [TopicPartition(WEBHOOKS, number) for number in range(stack.settings.kafka.partitions)]
        return int(sum((await consumer.end_offsets(partitions)).values()))


@contextlib.asynccontextmanager
async def _stack(folder: Path) -> AsyncIterator[Stack]:
    async with Stack(folder, sources={name: accounts(name).settings for name in NAMES}) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        yield stack


async def run(folder: Path, *, posts: int, seed: int, console: Console) -> Outcome:
    """Start a stack, and run once on it."""
    console.print(f"hostile webhooks with the seed {seed}")
    async with _stack(folder) as stack:
        return await Run(stack, seed, posts).run()
