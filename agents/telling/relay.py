"""Tells the log to others: each event once it is settled, to `events.recorded`, and to the deliveries of its client.

One worker does it at a time, the holder of a lock that ends with its connection. The place in the log moves on, and the
deliveries are enqueued, in one transaction after Kafka has acknowledged: a relay that dies in between is followed by one
that tells the same again, and skips nothing. The event's id tells readers what they have seen.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from agents.telling.metrics import NotificationMetrics
from app.clients.callbacks import Callbacks
from schemas.recorded import CONTENT_TYPE, key_of, write_recorded
from sql import EventStore, is_transient
from sql.relay import Place, RelaySession
from webhooks.abandoning import abandon

log = structlog.get_logger(__name__)

TOPIC = "events.recorded"
#: Events of one page: published together, and moved past together.
PAGE = 1000
#: Seconds between looks at the log's end while it gives less than a page, and between tries to become the one who relays.
POLL = 0.1
STANDBY = 1.0
#: Seconds that Kafka may take to acknowledge a page.
PATIENCE = 30.0
#: Bytes that a record may have beside its value: the key, the header, Kafka's own frame.
FRAME = 1024

#: Keys whose partition is remembered.
KEYS = 1 << 16

_HEADERS = [("content-type", CONTENT_TYPE.encode())]


def partition_of(key: bytes, partitions: Sequence[int]) -> int:
    """The partition of a key, as Kafka's own producers choose it of all that there are."""
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=KEYS)
def _hash(key: bytes) -> int:
    # Remembered, as aiokafka's is in Python and costs as much as all the rest of a record; a customer's events come in crowds.
    return int(murmur2(key)) & 0x7FFFFFFF


class Relayer:
    """The relay of this process. `connect` makes an aiokafka producer (`acks=all`, idempotent) that is not started, of
    records of at most `most` bytes."""

    def __init__(
        self,
        store: EventStore,
        connect: Callable[[], AIOKafkaProducer],
        callbacks: Callbacks,
        metrics: NotificationMetrics,
        *,
        most: int,
        from_now: bool = False,
        topic: str = TOPIC,
    ) -> None:
        self._store, self._connect, self._callbacks, self._metrics = store, connect, callbacks, metrics
        self._most, self._from_now, self._topic = most - FRAME, from_now, topic
        self._full = False

    async def run(self) -> None:
        """Relay for ever, or wait for the worker that does to go away. Raises what ends it (see `failures.keep_on`)."""
        while True:
            async with self._store.relay() as relay:
                if relay is not None:
                    await self._run(relay)
            self._metrics.health.works("relay")
            await asyncio.sleep(STANDBY)

    async def _run(self, relay: RelaySession) -> None:
        place = await relay.begin(from_now=self._from_now)
        producer = self._connect()
        log.info("relaying", xid=place[0], position=place[1])
        try:
            await producer.start()
            while True:
                went_on = await self.step(relay, producer, place)
                self._metrics.health.works("relay")
                place = went_on or place
                if not self._full:  # what comes meanwhile goes together: a page costs much the same with one event
                    await asyncio.sleep(POLL)
        finally:
            # Not `stop`, which waits for what Kafka has not acknowledged, for as long as it is away.
            await abandon(producer)

    async def step(self, relay: RelaySession, producer: AIOKafkaProducer, place: Place) -> Place | None:
        """Tell one page after the place; returns the place after it, None where there was nothing to tell."""
        page = await relay.page(place, PAGE)
        self._full = len(page) == PAGE
        if not page:
            return None
        await self._publish(producer, page)
        clients = sorted({row["client_id"] for row in page if row["message_id"] is not None})
        called = [client for client in clients if await self._is_called(client)]
        upto = (page[-1]["xid"], page[-1]["position"])
        self._metrics.enqueued += await relay.advance(place, upto, called)
        self._metrics.relayed += len(page)
        return upto

    async def _is_called(self, client: str) -> bool:
        """Whether a client may have a callback. One whose configuration cannot be read keeps the one it had, and holds up
        none of the others."""
        try:
            found = await self._callbacks.of(client)
        except Exception as error:
            if is_transient(error) or isinstance(error, OSError):
                raise
            self._metrics.health.tenant_fails(client, "configuration", error)
            log.error("a client's callback cannot be read", client=client, error=f"{type(error).__name__}: {error}")
            return True
        return found is not None

    async def _publish(self, producer: AIOKafkaProducer, page: Sequence[dict[str, Any]]) -> None:
        """Returns once Kafka has acknowledged all of them. Raises KafkaError, or TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            partitions = sorted(await producer.partitions_for(self._topic))
            sent = [
                await producer.send_batch(batch, self._topic, partition=partition)
                for partition, batch in self._batches(producer, page, partitions)
            ]
            results = await asyncio.gather(*sent, return_exceptions=True)
        if failed := [result for result in results if isinstance(result, BaseException)]:
            raise KafkaError(f"{len(failed)} of {len(results)} batches were not acknowledged") from failed[0]

    def _batches(
        self, producer: AIOKafkaProducer, page: Sequence[dict[str, Any]], partitions: Sequence[int]
    ) -> Iterator[tuple[int, BatchBuilder]]:
        """The page's records in batches, those of each partition in the log's order. (Record by record aiokafka makes a
        future and looks the partition up for each, which costs as much as writing it.)"""
        open: dict[int, BatchBuilder] = {}
        for row in page:
            key = key_of(row)
            partition = partition_of(key, partitions)
            record = {"timestamp": None, "key": key, "value": write_recorded(row, self._most), "headers": _HEADERS}
            batch = open.get(partition)
            if batch is None or batch.append(**record) is None:
                if batch is not None:  # full
                    yield partition, batch
                open[partition] = batch = producer.create_batch()
                if batch.append(**record) is None:
                    raise ValueError("a record does not fit into a batch of its own")
        yield from open.items()
