"""What was passed over: records that Kafka deleted before they were read. The loudest error there is.

A gap is said once in the log, counted, kept in `gaps`, and named by `/readyz` until an operator acknowledges it.
"""

import asyncio
import queue
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from agents.health import Health
from sql import EventStore

log = structlog.get_logger(__name__)

#: Seconds between two looks at which gaps nobody has acknowledged.
EVERY = 5.0


class Gap(NamedTuple):
    """Offsets of a partition that were never read, from `first` to before `end`; an `end` before `first` is that of a log
    which was cut off before what was read of it."""

    topic: str
    partition: int
    first: int
    end: int


class Gaps:
    """Of this process. `found` and `truncated` may be called from any thread, the others from the event loop."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._known: dict[tuple[str, int, int], int] = {}
        self._new: queue.SimpleQueue[Gap] = queue.SimpleQueue()
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._open = 0
        self.records = 0
        health.more.append(self.collect)

    def found(self, topic: str, partition: int, first: int, end: int) -> None:
        """The offsets from `first` to before `end` are gone, and were not read. Said once."""
        key = (topic, partition, first)
        known = self._known.get(key, first)
        if end <= known:
            return
        self._known[key] = end
        self.records += end - known
        words = {"topic": topic, "partition": partition, "committed": first, "log_start": end}
        log.critical("records were deleted before they were read", **words, records=end - first)
        self._health.alarms[f"gap {topic}-{partition} {first}"] = worded(topic, partition, first, end)
        self._new.put(Gap(topic, partition, first, end))

    def truncated(self, topic: str, partition: int, committed: int, end: int) -> None:
        """The log ends before what was committed: the topic was cut off or made anew, and is read from its beginning."""
        key = (topic, partition, -1)
        if self._known.get(key) == committed:
            return
        self._known[key] = committed
        words = {"topic": topic, "partition": partition, "committed": committed, "log_end": end}
        log.critical("the log ends before what was read of it", **words)
        self._health.alarms[f"gap {topic}-{partition} {committed}"] = worded(topic, partition, committed, end)
        self._new.put(Gap(topic, partition, committed, end))

    async def written(self) -> None:
        """Wait until every gap that was found so far has its row in the database.

        The consumer waits for it before it hands on the records behind a gap: once those are committed, no worker could
        find the gap again.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wake.set()
        await waiter

    async def run(self, store: EventStore) -> None:
        """Write down what is new, and see what was acknowledged, for ever. Raises what the store raises."""
        while True:
            self._wake.clear()
            waiters = list(self._waiters)
            await self._write(store)
            for waiter in waiters:
                self._waiters.remove(waiter)
                if not waiter.done():  # the consumer gives up waiting where its partitions are taken from it
                    waiter.set_result(None)
            rows = await store.gaps(all=False)
            told = {
                f"gap {row['topic']}-{row['partition']} {row['from_offset']}": worded(
                    row["topic"], row["partition"], row["from_offset"], row["to_offset"]
                )
                for row in rows
            }
            if self._new.empty():
                for about in [about for about in self._health.alarms if about.startswith("gap ") and about not in told]:
                    self._health.alarms.pop(about, None)
            self._health.alarms.update(told)
            self._open = len(rows)
            self._health.works("gaps")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), EVERY)

    async def _write(self, store: EventStore) -> None:
        waiting: list[Gap] = []
        while not self._new.empty():
            waiting.append(self._new.get_nowait())
        while waiting:
            try:
                await store.add_gap(*waiting[0])
            except BaseException:
                for gap in waiting:
                    self._new.put(gap)
                raise
            waiting.pop(0)

    def collect(self) -> Iterator[Any]:
        """For Prometheus."""
        yield CounterMetricFamily(
            "threadline_gap_offsets", "Offsets that were deleted before they were read.", self.records
        )
        yield GaugeMetricFamily("threadline_gaps_open", "Gaps that nobody has acknowledged.", self._open)


def worded(topic: str, partition: int, first: int, end: int) -> str:
    """A gap in words, with what to do."""
    if end < first:
        return (
            f"{topic}-{partition}: the log ends at {end}, before the {first} that was committed: it was cut off or made anew, "
            "and is read from its beginning. Seen to it? threadline gaps acknowledge"
        )
    return (
        f"{topic}-{partition}: the offsets {first} to {end - 1} are gone and were not read: ask their senders for them again, "
        "then: threadline gaps acknowledge"
    )
