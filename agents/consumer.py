"""Faust's Kafka consumer, changed to pass on record batches in place of single records.

Stock Faust waits for four tasks for every record (`Consumer._drain_messages`), which is its speed limit. Here the
consumer passes each partition's fetched records on as one message, and an acknowledgement covers the whole run of
offsets. Rebalances, flow control, back-pressure, tracking and commits stay Faust's.

Written against Faust 0.15.3 (`faust/transport/consumer.py`, `faust/transport/drivers/aiokafka.py`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from faust.transport.drivers.aiokafka import Transport
from faust.types import TP
from faust.types.tuples import ConsumerMessage, ack_lock
from mode.utils.futures import notify

from agents.fetching import PromptThread
from agents.skipped import PassedOver, SkippingConsumer
from agents.weighing import divided
from webhooks.cancelled import pass_on

#: Seconds to let records accumulate after a fetch that returned all available ones, at least and at most: few large transactions
#: cost less than many small ones. Once all that was fetched is stored, waiting gains nothing.
LEAST, LINGER = 0.004, 0.025
#: Seconds that the fetcher pauses while every partition's buffer is full; stock Faust sleeps one second.
REST = 0.01


class RecordBatch(ConsumerMessage):  # type: ignore[misc]  # Faust ships no types that mypy can follow
    """Consecutive records of one partition as one Faust message; its offset is the last one's."""

    __slots__ = ("first", "records")

    def __init__(self, tp: TP, records: Sequence[Any], first: int, generation: int) -> None:
        last = records[-1]
        super().__init__(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type, (), None, b"", None,
            0, 0, tp, generation_id=generation,
        )  # fmt: skip
        self.first = first
        self.records = records


class BatchConsumer(SkippingConsumer):
    """Faust's consumer, with runs of offsets (`first`, `last`) where stock Faust keeps single offsets."""

    def __init__(self, *args: Any, **more: Any) -> None:
        """Take Faust's arguments."""
        super().__init__(*args, **more)
        #: Set once all that was delivered is acknowledged.
        self._stored = asyncio.Event()
        #: Whether further records of the present fetch are still to be delivered: Faust delivers partition by partition.
        self.delivering = False

    def _new_consumer_thread(self) -> PromptThread:
        return PromptThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            self._raise_what_ended_coordination()
            if self.flow_active and not self._get_active_partitions():
                await asyncio.sleep(REST)
                continue
            records, _ = await self._wait_next_records(1.0)
            generation = self.app.consumer_generation_id
            if self.should_stop:
                return
            if not self.flow_active:
                await self._return_to_committed()
                continue
            most = self.app.conf.broker_max_poll_records  # None: the client decides
            self.delivering = True
            try:
                for tp, run in (records or {}).items():
                    if not self.flow_active or self.app.consumer_generation_id != generation:
                        break
                    for part in divided(run, most or len(run)):
                        if not self.flow_active or self.app.consumer_generation_id != generation:
                            break
                        await self._deliver(tp, part, generation)
            finally:
                self.delivering = False
            if not records:
                await self._pass_markers(generation)
            full = most is not None and sum(map(len, (records or {}).values())) >= most
            await (asyncio.sleep(0) if full else self._linger())

    async def _linger(self) -> None:
        self._stored.clear()
        await asyncio.sleep(LEAST)
        if self._unacked_messages:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER - LEAST):
                    await self._stored.wait()

    async def verify_all_partitions_active(self) -> None:
        """Look once for partitions that are not committed, as Faust does, but without giving up control for each partition."""
        now = monotonic()
        for tp in self.assignment():
            self.verify_event_path(now, tp)

    def _raise_what_ended_coordination(self) -> None:
        """Raise the error that stopped aiokafka's coordinator. aiokafka keeps the error until it is asked for it, which
        Faust never does: a worker whose coordinator has stopped (because its rights were revoked, for example) would
        silently read nothing."""
        coordinator = self._thread._ensure_consumer()._coordinator
        if (error := getattr(coordinator, "_pending_exception", None)) is not None:
            raise error

    async def _deliver(self, tp: TP, run: Sequence[Any], generation: int) -> None:
        read, committed = self._read_offset[tp], self._committed_offset[tp]
        if read is not None and run[0].offset < read:
            end = self.highwater(tp)
            # A seek goes back no further than the committed offset. A record before it comes from a log that was
            # truncated, and that may have grown past the old offset since.
            short = end is not None and end < read
            if short or (committed is not None and run[0].offset < committed):
                if not await self._restart(tp, read, end if short else run[0].offset):
                    return
                read = None
            else:
                run = [record for record in run if record.offset >= read]
                if not run:
                    return
        elif read is not None and run[0].offset > read:
            if not await self._jumped(tp, read, run[0].offset) or self.app.consumer_generation_id != generation:
                return
        # Offsets that hold no record (compacted, expired, transaction markers) count with the run after them, which
        # would otherwise wait for their acknowledgement for ever.
        first = run[0].offset if read is None else min(read, run[0].offset)
        if self._committed_offset[tp] is None:
            self._committed_offset[tp] = first
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        message = RecordBatch(tp, run, first, generation)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        self._read_offset[tp] = message.offset + 1

    async def _return_to_committed(self) -> None:
        try:
            await self.perform_seek()
        except Exception as error:
            pass_on(error)
            self.log.warning("cannot seek to the committed offsets while paused: %r", error)

    def ack(self, message: Any) -> bool:
        """Mark the whole run as done. Return False if it was already."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            if self.app.topics.acks_enabled_for(message.topic):
                self._acked[message.tp].append((message.first, message.offset))
            notify(self._waiting_for_ack)
            if not self._unacked_messages:
                self._stored.set()
            return True

    def _new_offset(self, tp: TP) -> int | None:
        """Return the offset up to which every run is done, or None if the next run is still in progress."""
        runs = self._acked[tp]
        if not runs:
            return None
        runs.sort()
        committed = self._committed_offset[tp]
        end: int = runs[0][0] if committed is None else committed
        done = 0
        for first, last in runs:
            if first > end:
                break
            end = max(end, last + 1)
            done += 1
        del runs[:done]
        return end if done else None


class BatchTransport(Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with `BatchConsumer`."""

    Consumer = BatchConsumer

    #: Receives reports of gaps, if set.
    passed_over: PassedOver | None = None


def member_of(app: Any) -> str | None:
    """Return the worker's id in its consumer group, or None if it is not a member."""
    consumer = app._consumer and app._consumer._thread._consumer
    return (consumer._coordinator.member_id or None) if consumer else None
