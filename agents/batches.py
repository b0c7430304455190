"""Reads Kafka in record batches instead of record by record, through stock Faust otherwise.

Stock Faust waits for four tasks for every record (`Consumer._drain_messages`), which is its speed limit. Here the
consumer hands each partition's fetched records on as one message, and an acknowledgement covers the whole run of
offsets. Rebalances, flow control, back-pressure, tracking and commits stay Faust's. `batches()` reads either form, so
that `worker.fast_batches = false` falls back to the stock consumer.

Written against Faust 0.15.3 (`faust/transport/consumer.py`, `faust/transport/drivers/aiokafka.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP
from faust.types.tuples import ConsumerMessage, ack_lock
from mode.utils.futures import notify

#: How long records may gather, in seconds, after a fetch that took all there were: few large transactions cost less
#: than many small ones.
LINGER = 0.025
#: How long the fetcher rests while every partition's buffer is full; stock Faust sleeps a second.
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


class BatchConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer, with runs of offsets (`first`, `last`) where stock Faust keeps single offsets."""

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
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
            for tp, run in (records or {}).items():
                if not self.flow_active or self.app.consumer_generation_id != generation:
                    break
                await self._deliver(tp, run, generation)
            most = self.app.conf.broker_max_poll_records  # None where it is left to the client
            full = most is not None and sum(map(len, (records or {}).values())) >= most
            await asyncio.sleep(0 if full else LINGER)

    async def _deliver(self, tp: TP, run: Sequence[Any], generation: int) -> None:
        read = self._read_offset[tp]
        if read is not None and run[0].offset < read:
            run = [record for record in run if record.offset >= read]
            if not run:
                return
        # Offsets that hold no record (compacted, expired, transaction markers) belong to the run after them,
        # else the run would wait for them for ever.
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
            self.log.warning("cannot seek to the committed offsets while paused: %r", error)

    def ack(self, message: Any) -> bool:
        """Mark the whole run as done. Returns whether that was news."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            if self.app.topics.acks_enabled_for(message.topic):
                self._acked[message.tp].append((message.first, message.offset))
            notify(self._waiting_for_ack)
            return True

    def _new_offset(self, tp: TP) -> int | None:
        """The offset up to which every run is done, or None where the next one is still being worked on."""
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
    """Faust's aiokafka transport with the consumer above."""

    Consumer = BatchConsumer


@dataclass(slots=True)
class Batch:
    """Records of one topic (each with `topic`, `partition`, `offset`, `headers`, `value`; their time by `timestamp_of`).

    Call `ack()` once all of them are dealt with: their offsets are then committed at the next interval.
    """

    records: list[Any]
    events: list[Any]

    def ack(self) -> None:
        """Every record of this batch has been dealt with."""
        for event in self.events:
            event.ack()


def timestamp_of(record: Any) -> float:
    """When the record was put on Kafka, in Unix seconds (Faust's messages hold seconds, aiokafka's records ms)."""
    return float(record.timestamp if isinstance(record, ConsumerMessage) else record.timestamp / 1000)


def _records(event: Any) -> Sequence[Any]:
    message = event.message
    return message.records if isinstance(message, RecordBatch) else (message,)


async def batches(stream: Any, most: int) -> AsyncIterator[Batch]:
    """What the stream holds right now, `most` records or a little more at a time; waits only where it holds nothing."""
    app, queue = stream.app, stream.channel.queue
    async for event in stream.noack().events():
        batch = Batch(list(_records(event)), [event])
        while len(batch.records) < most and not queue.empty() and app.flow_control.is_active():
            event = queue.get_nowait()
            if event.message.generation_id != app.consumer_generation_id:
                continue  # fetched before a rebalance: another worker reads it
            if not event.message.tracked:
                event.message.tracked = True
                app.consumer.track_message(event.message)
            batch.records += _records(event)
            batch.events.append(event)
        yield batch
