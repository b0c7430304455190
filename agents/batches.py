"""Reads an agent's stream in batches of records, whichever consumer fetches them.

With `agents.consumer` one message is a run of records; with stock Faust (`worker.fast_batches = false`) it is a single
record. Both are read here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from faust.types.tuples import ConsumerMessage

from agents.consumer import RecordBatch
from agents.process.within import WITHIN, Within
from agents.weighing import weight

#: Seconds to wait at most for the rest of a fetch, which another agent's full queue may hold up; and between two looks for the rest.
TOGETHER, PEEK = 0.01, 0.0005
#: The part of the worker that reads a topic, by the first word of the topic's name.
_PARTS = {"webhooks": "inbound", "events": "reported", "messages": "requests"}


@dataclass(slots=True)
class Batch:
    """Records of one topic (each with `topic`, `partition`, `offset`, `headers`, `value`; their time by
    `timestamp_of`).

    Call `ack()` once all of them are processed: their offsets are then committed at the next interval.
    """

    records: list[Any]
    events: list[Any]

    def ack(self) -> None:
        """Acknowledge every record of this batch."""
        for event in self.events:
            event.ack()


def timestamp_of(record: Any) -> float:
    """Return when the record was produced, in Unix seconds (Faust's messages hold seconds, aiokafka's records ms)."""
    return float(record.timestamp if isinstance(record, ConsumerMessage) else record.timestamp / 1000)


def _records(event: Any) -> Sequence[Any]:
    message = event.message
    return message.records if isinstance(message, RecordBatch) else (message,)


async def batches(stream: Any, most: int) -> AsyncIterator[Batch]:
    """Yield the records that the stream holds, `most` or slightly more at a time. Wait only while the stream holds none, and while
    records of the same fetch are still being delivered: each batch becomes a transaction."""
    app, queue = stream.app, stream.channel.queue
    async for event in stream.noack().events():
        batch = Batch(list(_records(event)), [event])
        taken, until = weight(batch.records), time.monotonic() + TOGETHER
        while taken < most and app.flow_control.is_active():
            if queue.empty():
                if not getattr(app.consumer, "delivering", False) or time.monotonic() > until:
                    break
                await asyncio.sleep(PEEK)
                continue
            event = queue.get_nowait()
            if event.message.generation_id != app.consumer_generation_id:
                continue  # fetched before a rebalance: another worker reads it
            if not event.message.tracked:
                event.message.tracked = True
                app.consumer.track_message(event.message)
            records = _records(event)
            batch.records += records
            taken += weight(records)
            batch.events.append(event)
        WITHIN.set(_within(batch.records[0]))
        yield batch


def _within(record: Any) -> Within:
    part = _PARTS.get(record.topic.partition(".")[0], record.topic)
    return Within(part, f"{record.topic}-{record.partition} from offset {record.offset}")
