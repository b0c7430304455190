"""Reports gaps: records that Kafka deleted before they were read, which is the most severe error of the worker.

A gap is logged once, counted, stored in the table `gaps`, and shown by `/readyz` until an operator acknowledges it.
"""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from agents.health import WorkerHealth
from sql import EventStore

log = structlog.get_logger(__name__)

#: Seconds between two reads of the unacknowledged gaps.
EVERY = 5.0


class Gap(NamedTuple):
    """Offsets of a partition that were deleted unread, from `first` up to and excluding `end`. If `end` is less than `first`, the
    log was truncated at `end`, before the committed offset `first`."""

    topic: str
    partition: int
    first: int
    end: int


class Gaps:
    """The gaps that this process has found. `found` and `truncated` may be called from any thread."""

    def __init__(self, health: WorkerHealth) -> None:
        self._health = health
        self._known: dict[tuple[str, int, int], int] = {}
        self._new: queue.SimpleQueue[Gap] = queue.SimpleQueue()
        self._waiters: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._counting = threading.Lock()
        self._open = self._unstored = 0
        self.records = 0
        health.more.append(self.collect)

    def found(self, topic: str, partition: int, first: int, end: int) -> None:
        """Report that the offsets from `first` up to and excluding `end` were deleted unread. Repeats are ignored."""
        key = (topic, partition, first)
        known = self._known.get(key, first)
        if end <= known:
            return
        self._known[key] = end
        self.records += end - known
        words = {"topic": topic, "partition": partition, "committed": first, "log_start": end}
        log.critical("records were deleted before they were read", **words, records=end - first)
        self._health.alarms[f"gap {topic}-{partition} {first}"] = describe(topic, partition, first, end)
        self._add(Gap(topic, partition, first, end))

    def truncated(self, topic: str, partition: int, committed: int, end: int) -> None:
        """Report that the log ends before the committed offset: the topic was truncated or recreated, and is read from its
        start."""
        key = (topic, partition, -1)
        if self._known.get(key) == committed:
            return
        self._known[key] = committed
        words = {"topic": topic, "partition": partition, "committed": committed, "log_end": end}
        log.critical("the log ends before what was read of it", **words)
        self._health.alarms[f"gap {topic}-{partition} {committed}"] = describe(topic, partition, committed, end)
        self._add(Gap(topic, partition, committed, end))

    @property
    def stored(self) -> bool:
        """Whether every gap found so far is stored in the database."""
        return self._unstored == 0

    def _add(self, gap: Gap) -> None:
        with self._counting:
            self._unstored += 1
        self._new.put(gap)

    async def written(self) -> None:
        """Wait until every gap found so far is stored in the database.

        The consumer waits for this before it delivers the records behind a gap. Once those are committed, no worker could
        find the gap again.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._wake.set()
        await waiter

    async def run(self, store: EventStore) -> None:
        """Store new gaps, and read which ones were acknowledged, without end. Raises what the store raises."""
        while True:
            self._wake.clear()
            waiters = list(self._waiters)
            await self._write(store)
            for waiter in waiters:
                self._waiters.remove(waiter)
                if not waiter.done():  # the consumer stops waiting when its partitions are revoked
                    waiter.set_result(None)
            rows = await store.gaps(all=False)
            open_gaps = {
                f"gap {row['topic']}-{row['partition']} {row['from_offset']}": describe(
                    row["topic"], row["partition"], row["from_offset"], row["to_offset"]
                )
                for row in rows
            }
            if self._new.empty():
                for about in [
                    about for about in self._health.alarms if about.startswith("gap ") and about not in open_gaps
                ]:
                    self._health.alarms.pop(about, None)
            self._health.alarms.update(open_gaps)
            self._open = len(rows)
            self._health.works("gaps")
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()

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
            with self._counting:
                self._unstored -= 1

    def collect(self) -> Iterator[Any]:
        """Yield metrics for Prometheus."""
        yield CounterMetricFamily(
            "threadline_gap_offsets", "Offsets that were deleted before they were read.", self.records
        )
        yield GaugeMetricFamily("threadline_gaps_open", "Gaps without an acknowledgement.", self._open)


def describe(topic: str, partition: int, first: int, end: int) -> str:
    """Describe a gap and what to do about it."""
    if end < first:
        return (
            f"{topic}-{partition}: the log ends at {end}, before the committed offset {first}: the topic was truncated or recreated, "
            "and is read from its start. When this is dealt with, run: threadline gaps acknowledge"
        )
    return (
        f"{topic}-{partition}: the offsets {first} to {end - 1} are gone and were not read: ask their senders for them again, "
        "then: threadline gaps acknowledge"
    )
