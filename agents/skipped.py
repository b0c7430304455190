"""Faust's Kafka consumer, changed to find out why offsets were skipped.

Offsets may hold no record (compacted, transaction markers), may have been deleted before they were read, or belong to a log that was
truncated. Offsets without a record count as read; for the others a gap is reported (`agents.process.gaps`).

Written against Faust 0.15.3 (`faust/transport/consumer.py`).
"""

import asyncio
from typing import Any, Protocol

from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP
from faust.types.tuples import ack_lock


class PassedOver(Protocol):
    """Receives reports of records that the log no longer has (`agents.process.gaps`)."""

    def found(self, topic: str, partition: int, first: int, end: int) -> None: ...
    def truncated(self, topic: str, partition: int, committed: int, end: int) -> None: ...
    async def written(self) -> None: ...


class SkippingConsumer(Consumer):  # type: ignore[misc]  # Faust ships no types that mypy can follow
    """The part of the consumer that handles offsets without a record. `_acked` has acknowledged runs of offsets as `(first, last)`."""

    transport: Any

    async def _pass_markers(self, generation: int) -> None:
        """Acknowledge the offsets at a log's end that hold no record (transaction markers), once all records before
        them are delivered. Uncommitted, they would count as lag, and as a gap when the topic deletes them."""
        # A copy: Faust changes the set when it pauses or resumes a partition, which it may do while this waits.
        for tp in tuple(self._get_active_partitions()):
            read, end = self._read_offset[tp], self.highwater(tp)
            if read is None or end is None or end <= read:
                continue
            try:
                async with asyncio.timeout(5.0):
                    position = await self.position(tp)
            except (KafkaError, OSError, TimeoutError) as error:  # the partition was revoked, or the brokers are away
                self.log.warning("cannot ask how far %r was read: %r", tp, error)
                return
            if position <= read or not await self._jumped(tp, read, position):
                continue
            if self.app.consumer_generation_id != generation:
                return
            with ack_lock:
                self._acked[tp].append((read, position - 1))
            self._read_offset[tp] = position

    async def _restart(self, tp: TP, committed: int, end: int) -> bool:
        """Report the log as truncated and reset its offsets. aiokafka reads a log that ends before the committed offset
        from its start, and all records below the old offsets would count as read. Return False if the flow was
        suspended first."""
        if (gaps := self.transport.passed_over) is not None:
            gaps.truncated(tp.topic, tp.partition, committed, end)
            if not await self._written(gaps):
                return False
        self._acked[tp].clear()
        self._committed_offset[tp] = None
        return True

    async def _jumped(self, tp: TP, read: int, offset: int) -> bool:
        """Find out why the offsets from `read` up to `offset` were skipped. They hold no record (compacted, transaction
        markers), or were deleted before they were read: then the log starts after them, aiokafka goes on there without
        an error, and this reports a gap. Return True once the gap is stored, False if the flow was suspended first."""
        if (gaps := self.transport.passed_over) is None:
            return True
        while self.flow_active and not self.should_stop:
            try:
                first = (await self.earliest_offsets(tp))[tp]
            except (KafkaError, OSError) as error:
                self.log.warning("cannot ask where the log of %r begins: %r", tp, error)
                await asyncio.sleep(1.0)
                continue
            if read >= first:
                return True
            gaps.found(tp.topic, tp.partition, read, min(first, offset))
            return await self._written(gaps)
        return False

    async def _written(self, gaps: PassedOver) -> bool:
        """Wait until the gaps are stored. Return False if the flow was suspended or the consumer stopped first."""
        await self.wait_first(gaps.written(), self.suspend_flow.wait())
        return self.flow_active and not self.should_stop
