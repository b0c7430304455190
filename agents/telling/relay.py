"""Relays the log: publishes each event, once no writer can add one before it, to `events.recorded`, and enqueues the
deliveries to its client.

One worker relays at a time, the holder of a lock that ends with its connection. After Kafka has acknowledged a page, one
transaction moves the place in the log and enqueues the deliveries: if a relay dies in between, the next one publishes the page
again and skips nothing. Readers recognise a repeat by the event's id.
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

from agents.telling import tracing
from agents.telling.metrics import NotificationMetrics
from app.clients.callbacks import ClientCallbacks
from schemas.recorded import CONTENT_TYPE, key_of, write_recorded
from sql import EventStore, is_transient
from sql.relay import Place, RelaySession
from sql.sealed_records import OVERHEAD
from webhooks.abandoning import abandon
from webhooks.cancelled import pass_on, rest

log = structlog.get_logger(__name__)

TOPIC = "events.recorded"
#: Events of one page, which are published together.
PAGE = 1000
#: Seconds between reads while the log has less than a page, and between tries to get the lock.
POLL = 0.1
STANDBY = 1.0
#: Seconds that Kafka may take to acknowledge a page.
PATIENCE = 30.0
#: Most bytes of a record beside its value: the key, the header, Kafka's frame, and what sealing adds.
FRAME = 1024 + OVERHEAD

#: Keys whose hash is cached.
KEYS = 1 << 16

_HEADERS = [("content-type", CONTENT_TYPE.encode())]


def partition_of(key: bytes, partitions: Sequence[int]) -> int:
    """Return the partition of a key, as Kafka's own producers choose it."""
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=KEYS)
def _hash(key: bytes) -> int:
    # Cached, as aiokafka's is in Python and costs as much as the rest of a record; a customer's events come together.
    return int(murmur2(key)) & 0x7FFFFFFF


class Relayer:
    """The relay of this process. `connect` makes an aiokafka producer (`acks=all`, idempotent), not started; `most`: bytes of
    a record."""

    def __init__(
        self,
        store: EventStore,
        connect: Callable[[], AIOKafkaProducer],
        callbacks: ClientCallbacks,
        metrics: NotificationMetrics,
        *,
        most: int,
        from_now: bool = False,
        topic: str = TOPIC,
    ) -> None:
        self._store, self._connect, self._callbacks, self._metrics = store, connect, callbacks, metrics
        self._most, self._from_now, self._topic, self._place = most - FRAME, from_now, topic, topic.encode()
        self._full = False

    async def run(self) -> None:
        """Relay for ever, or wait for the worker that holds the lock. Raises what ends it (see `failures.keep_on`)."""
        while True:
            async with self._store.relay() as relay:
                if relay is not None:
                    await self._run(relay)
            self._metrics.health.works("relay")
            await rest(STANDBY)

    async def _run(self, relay: RelaySession) -> None:
        place = await relay.begin(from_now=self._from_now)
        producer = self._connect()
        log.info("relaying", xid=place[0], position=place[1])
        try:
            await producer.start()
            while True:
                following = await self.step(relay, producer, place)
                self._metrics.health.works("relay")
                place = following or place
                if not self._full:  # wait for more: a page costs much the same with one event
                    await rest(POLL)
        finally:
            # Not `stop`, which waits for what Kafka has not acknowledged, for as long as it is away.
            await abandon(producer)

    async def step(self, relay: RelaySession, producer: AIOKafkaProducer, place: Place) -> Place | None:
        """Relay one page after the place; return the place after it, or None where there was none."""
        page = await relay.page(place, PAGE)
        self._full = len(page) == PAGE
        if not page:
            return None
        await self._store.keys_ready("events")
        with tracing.relaying(page):
            await self._publish(producer, page)
        clients = sorted({row["client_id"] for row in page if row["message_id"] is not None})
        notified = [client for client in clients if await self._has_callback(client)]
        upto = (page[-1]["xid"], page[-1]["position"])
        self._metrics.enqueued += await relay.advance(place, upto, notified)
        self._metrics.relayed += len(page)
        return upto

    async def _has_callback(self, client: str) -> bool:
        """Return whether a client may have a callback. True if its configuration cannot be read: then it keeps the
        callback that it had, and other clients are not delayed."""
        try:
            found = await self._callbacks.of(client)
        except Exception as error:
            pass_on(error)
            if is_transient(error) or isinstance(error, OSError):
                raise
            self._metrics.health.tenant_fails(client, "configuration", error)
            log.error("a client's callback cannot be read", client=client, error=f"{type(error).__name__}: {error}")
            return True
        return found is not None

    async def _publish(self, producer: AIOKafkaProducer, page: Sequence[dict[str, Any]]) -> None:
        """Publish a page; return once Kafka has acknowledged it. Raises KafkaError, or TimeoutError."""
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
        """Yield the page's records in batches, those of each partition in the log's order. (Record by record, aiokafka makes a
        future and looks up the partition for each, which costs as much as writing it.)"""
        open: dict[int, BatchBuilder] = {}
        for row in page:
            key = key_of(row)
            partition = partition_of(key, partitions)
            headers = _HEADERS if row["trace"] is None else [*_HEADERS, ("traceparent", row["trace"].encode())]
            value = self._store.hours.seal("events", self._place, write_recorded(row, self._most))
            record = {"timestamp": None, "key": key, "value": value, "headers": headers}
            batch = open.get(partition)
            if batch is None or batch.append(**record) is None:
                if batch is not None:  # full
                    yield partition, batch
                open[partition] = batch = producer.create_batch()
                if batch.append(**record) is None:
                    raise ValueError("a record does not fit into a batch of its own")
        yield from open.items()
