"""Has a real worker read hostile records between healthy ones, on real Kafka and PostgreSQL at the default settings.

Every canary must be on its timeline in time; every hostile record must have ended in an event, a message or a dead
letter; at the end all offsets are committed, the relay has no lag, and the worker is still the first process, and
ready.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console

from agents import GROUP, TOPICS
from app.kafka import client_args
from sql import EventStore
from tests.faults.accounting import Outcome, Put, account
from tests.faults.canaries import Canaries
from tests.faults.poison import CODECS, Poison, Record
from tests.support.keys import SEAL
from tests.support.lag import measure_lag
from tests.support.stack import Stack

#: Most hostile records of a round, and most bytes. The canaries of the round before are awaited first, so that a
#: canary's latency is the cost of hostile records, not of a queue.
ROUND, BYTES = 60, 2 << 20
#: Canaries in a round.
CANARIES = 5
#: Most seconds to wait for a canary, or for the end.
PATIENCE = 120.0


class Run:
    """One run: `records` hostile ones, in rounds, each followed by its canaries."""

    def __init__(self, stack: Stack, seed: int, records: int, console: Console) -> None:
        self.stack, self.console = stack, console
        self.outcome = Outcome(seed)
        self.poison, self.left = Poison(seed, stack.settings), records
        self.canaries = Canaries(stack.postgres.dsn("owner"), seed)
        self._places: Iterator[tuple[str, int]] = cycle(
            [(topic, partition) for topic in TOPICS for partition in range(stack.settings.kafka.partitions)]
        )
        self._producers: dict[str | None, AIOKafkaProducer] = {}
        self._alone = asyncio.Lock()

    async def run(self) -> Outcome:
        """Run all rounds; return the counts. Raises RuntimeError if the worker makes no progress."""
        began = time.monotonic()
        pid = self.stack.children["work"].pid
        async with (
            self._producing(),
            await psycopg.AsyncConnection.connect(self.stack.postgres.dsn("owner"), autocommit=True) as db,
        ):
            watching = asyncio.create_task(self.canaries.watch())
            before: list[Put] = []
            while self.left > 0:
                put = await self._round()
                await self._sung(watching)
                await self._account(db, before)
                before = put
            await self._settled()
            await self._account(db, before)
            watching.cancel()
        await self._finish(pid)
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    @contextlib.asynccontextmanager
    async def _producing(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            # A broker refuses whole batches, so records with odd times, and canaries, have producers of their own.
            for name in (*CODECS, "canaries", "odd times"):
                codec = name if name in CODECS else None
                producer = AIOKafkaProducer(
                    **client_args(self.stack.settings.kafka), compression_type=codec, acks="all",
                    max_request_size=self.poison.largest,
                )  # fmt: skip
                self._producers[name] = await stack.enter_async_context(producer)
            yield

    async def _round(self) -> list[Put]:
        """Put the hostile records of a round, with canaries among them; return their places on Kafka."""
        records: list[Record] = []
        size = 0
        while len(records) < min(ROUND, self.left) and size < BYTES:
            records.append(self.poison.one())
            size += len(records[-1].value or b"")
        self.left -= len(records)
        singing = list(islice(self._places, CANARIES))
        every = max(1, len(records) // CANARIES)
        sent: list[asyncio.Task[Put | None]] = []
        for number, record in enumerate(records):
            if number % every == 0 and singing:
                sent.append(asyncio.create_task(self._sing(*singing.pop())))
            sent.append(asyncio.create_task(self._put(record)))
        sent += [asyncio.create_task(self._sing(*place)) for place in singing]
        return [put for put in await asyncio.gather(*sent) if put is not None]

    async def _put(self, record: Record) -> Put | None:
        try:
            if record.timestamp is None:
                return await self._send(record.codec, record)
            async with self._alone:
                return await self._send("odd times", record)
        except (KafkaError, ValueError, OverflowError, TypeError, AssertionError) as error:
            self.outcome.refused[type(error).__name__] += 1
            return None

    async def _send(self, producer: str | None, record: Record) -> Put:
        sent = await self._producers[producer].send_and_wait(
            record.topic, record.value, key=record.key, headers=record.headers, timestamp_ms=record.timestamp
        )
        self.outcome.records += 1
        return Put(record, sent.partition, sent.offset)

    async def _sing(self, topic: str, partition: int) -> Put | None:
        name, value = self.canaries.one(topic)
        await self._producers["canaries"].send_and_wait(topic, value, partition=partition)
        self.canaries.sung(name)
        return None

    async def _sung(self, watching: asyncio.Task[None]) -> None:
        """Wait for all canaries but those of the newest round. Raises RuntimeError if they do not arrive."""
        deadline = time.monotonic() + PATIENCE
        while len(self.canaries.waiting) > CANARIES:
            if watching.done():
                watching.result()
            if time.monotonic() > deadline:
                raise RuntimeError(f"canaries do not come: {self._state()}")
            await asyncio.sleep(0.05)

    async def _account(self, db: psycopg.AsyncConnection[Any], put: list[Put]) -> None:
        """Account for the records of a round whose canaries have arrived. Partitions progress separately, so wait for
        the rest."""
        deadline = time.monotonic() + PATIENCE
        missing = put
        while missing := await account(db, missing, self.outcome.ended):
            if time.monotonic() > deadline:
                self.outcome.lost += [
                    f"{each.record.made} at {each.record.topic}/{each.partition}/{each.offset}" for each in missing
                ]
                break
            await asyncio.sleep(0.2)
        done = self.outcome.records
        if done // 5000 != (done - len(put)) // 5000:
            self.console.print(
                f"{done} records; {dict(self.outcome.ended)}; canaries {len(self.canaries.took)}, slowest {max(self.canaries.took.values(), default=0):.1f} s"
            )

    async def _settled(self) -> None:
        """Wait until the worker has committed all records, and the relay has no lag."""
        deadline = time.monotonic() + PATIENCE
        async with await EventStore.open(self.stack.postgres.dsn("service"), SEAL, pool=1) as store:
            while time.monotonic() < deadline:
                lag = await measure_lag(client_args(self.stack.settings.kafka), GROUP, TOPICS)
                relay = await store.relay_lag()
                self.outcome.lag, self.outcome.relay_lag = sum(lag.values()), int(relay["events"])
                if not (self.outcome.lag or self.outcome.relay_lag or self.canaries.waiting):
                    return
                await asyncio.sleep(0.5)

    async def _finish(self, pid: int) -> None:
        outcome, took = self.outcome, sorted(self.canaries.took.values())
        outcome.canaries, outcome.on_timelines = self.canaries.made, await self.canaries.on_timelines()
        outcome.slowest, outcome.median = (took[-1], took[len(took) // 2]) if took else (0.0, 0.0)
        child = self.stack.children["work"]
        outcome.same_worker = child.alive and child.pid == pid
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{self.stack.worker}/readyz")
        outcome.ready, outcome.unready = answer.status_code == 200, "" if answer.is_success else answer.text[:500]

    def _state(self) -> str:
        tail = (self.stack.folder / "work.log").read_text("utf-8", "replace")[-3000:]
        return f"{len(self.canaries.waiting)} of {self.canaries.made}; {self.outcome.records} records; worker's log: {tail}"


async def run(folder: Path, *, records: int, seed: int, console: Console) -> Outcome:
    """Start a stack, and run once on it."""
    console.print(f"poison with the seed {seed}")
    sources = {
        "twilio": {
            "account_sid": "AC" + "0" * 32,
            "auth_token": "x",
            "sender": "+15557654321",
            "api_url": "http://127.0.0.1:9",
        }
    }
    async with Stack(folder, sources=sources) as stack:
        await stack.start("work")
        return await Run(stack, seed, records, console).run()
