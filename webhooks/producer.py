"""Sends records to Kafka and waits for the acknowledgement, or raises the reason for its absence."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidMessageError,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RecordListTooLargeError,
)

from webhooks.abandoning import abandon, retrieve

#: A record: its value, and its trace context (W3C `traceparent`) where it is traced.
Record = tuple[bytes, str | None]

#: Seconds for connecting; and seconds to wait for late acknowledgements, which prove that Kafka is back, before a new
#: connection is tried.
CONNECT = 5.0
PATIENCE = 15.0
#: Bytes of records in one batch; a larger record goes alone.
BATCH = 512 << 10
#: Bytes that a record's frame and headers may take beside its value; and bytes that the frame of a batch of one record may take.
OVERHEAD = 128
FRAME = 512

#: Errors that no retry can mend: Kafka rejects this record.
REJECTED = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)

R = TypeVar("R", bound=tuple[Any, ...])


class Unacknowledged(Exception):
    """Kafka did not acknowledge the records, but may have them. The message says why."""


class Rejected(Unacknowledged):
    """Kafka rejected the records for good and has none of them."""


class OutOfStep(Unacknowledged):
    """The connection was replaced or lost its sequence numbers. A new connection may send the same records."""


class Producer:
    """One topic's producer. `connect` makes an aiokafka producer (`acks=all`, idempotent) that is not yet started."""

    def __init__(self, connect: Callable[[], AIOKafkaProducer], topic: str) -> None:
        self.topic = topic
        self._connect = connect
        self._producer: AIOKafkaProducer | None = None
        self._turn = count()
        #: How many connections were made; and the lock for making one.
        self._generation = 0
        self._renewing = asyncio.Lock()
        #: Batches without an acknowledgement in time, which aiokafka still tries to deliver.
        self._unsettled: set[asyncio.Future[object]] = set()

    async def ready(self) -> None:
        """Return when Kafka answers and earlier batches are settled. Raises Unacknowledged if it does not answer."""
        if self._producer is not None and self._unsettled:
            done, late = await asyncio.wait(self._unsettled, timeout=PATIENCE)
            if not late and not any(future.exception() for future in done):
                self._unsettled.clear()
                return
        await self.close()
        self._producer = await self._started()
        self._generation += 1

    async def ask(self) -> None:
        """Return when a broker answers. Raises Unacknowledged if none does."""
        try:
            async with asyncio.timeout(CONNECT):
                answered = self._producer is not None and await self._producer.client.force_metadata_update()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unacknowledged(reason(error)) from error
        if not answered:
            raise Unacknowledged("no broker answers")

    async def _renew(self, generation: int) -> None:
        """Replace the connection of this generation. After one rejected batch its sequence numbers are off, so that further
        batches would be rejected too. Raises Unacknowledged, and keeps the connection, if no other can be made."""
        async with self._renewing:
            if generation != self._generation:
                return
            old, self._producer = self._producer, await self._started()
            self._generation += 1
            if old is not None:
                await abandon(old)

    async def _started(self) -> AIOKafkaProducer:
        producer = self._connect()
        try:
            async with asyncio.timeout(CONNECT):
                await producer.start()
                await producer.partitions_for(self.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await abandon(producer)
            raise Unacknowledged(reason(error)) from error
        except BaseException:
            await abandon(producer)
            raise
        return producer

    async def send(self, records: Sequence[tuple[Any, ...]], within: float) -> None:
        """Send these records as one batch to one partition within `within` seconds; retry once if the connection was
        replaced meanwhile. Raises Unacknowledged, or Rejected if Kafka rejects one of them for good."""
        for last in (False, True):
            generation = self._generation
            try:
                await self._send(records, within)
            except Rejected:
                await self._renew(generation)
                raise
            except OutOfStep:
                await self._renew(generation)
                if last:
                    raise
            else:
                return

    async def _send(self, records: Sequence[tuple[Any, ...]], within: float) -> None:
        producer, generation = self._producer, self._generation
        if producer is None:
            raise Unacknowledged("not connected")
        batch = producer.create_batch()
        for value, traceparent, *_ in records:
            headers = [("traceparent", traceparent.encode())] if traceparent else []
            batch.append(timestamp=None, key=None, value=value, headers=headers)
        batch.close()
        if batch.record_count() != len(records):
            raise ValueError("more records than one batch holds")
        partitions = sorted(producer.client.cluster.available_partitions_for_topic(self.topic) or ())
        if not partitions:
            raise Unacknowledged(f"no partition of {self.topic} has a leader")
        partition = partitions[next(self._turn) % len(partitions)]
        try:
            async with asyncio.timeout(within):
                acknowledged = await producer.send_batch(batch, self.topic, partition=partition)
        except (KafkaError, TimeoutError) as error:
            raise Unacknowledged(reason(error)) from error
        await asyncio.wait((acknowledged,), timeout=within)
        if not acknowledged.done():
            self._unsettled.add(acknowledged)
            acknowledged.add_done_callback(retrieve)
            raise Unacknowledged(f"no acknowledgement within {within} s")
        if acknowledged.cancelled():
            raise Unacknowledged("given up")
        failure = acknowledged.exception()
        if isinstance(failure, REJECTED):
            raise Rejected(reason(failure)) from failure
        if isinstance(failure, OutOfOrderSequenceNumber) or (failure is not None and generation != self._generation):
            raise OutOfStep(reason(failure)) from failure
        if failure is not None:
            raise Unacknowledged(reason(failure)) from failure

    async def close(self) -> None:
        """Close the connection and give up the batches that were not acknowledged."""
        producer, self._producer = self._producer, None
        self._unsettled.clear()
        if producer is not None:
            await abandon(producer)


def batches(records: Sequence[R]) -> Iterator[Sequence[R]]:
    """Split records (tuples that begin with the value) into consecutive batches of at most `BATCH` bytes."""
    start, size = 0, 0
    for at, record in enumerate(records):
        length = len(record[0]) + OVERHEAD
        if size and size + length > BATCH:
            yield records[start:at]
            start, size = at, 0
        size += length
    if size:
        yield records[start:] if start else records


def reason(error: BaseException) -> str:
    """Return the error's class and message, for a log line."""
    if isinstance(error, Unacknowledged):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
