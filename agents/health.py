"""What the worker knows of itself: counts, what is failing now, lag and progress, and the watchdog that ends a stall.

Faust agents can stop without an error (faust-streaming #175, #523, #532), so the watchdog asks Kafka, over a
connection of its own, how far the log is ahead of the group's committed offsets, and compares that with what was done.
"""

import asyncio
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from agents.drift import Drift

log = structlog.get_logger(__name__)

#: Exit status of a worker that found itself stalled (EX_SOFTWARE of sysexits.h); the supervisor starts another.
STALLED = 70
#: Seconds from receipt to commit.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


class Health:
    """Counts and times of this process. Plain numbers, read when somebody asks."""

    def __init__(self) -> None:
        self.started = time.time()
        self.stirred = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.lag: dict[str, int] = {}
        self.latencies = [0] * (len(LATENCY_BUCKETS) + 1)
        self.latency_sum = 0.0
        self.ready = False
        self.drift = Drift()
        #: What waits to be sent: `state`, `messages`, `oldest` (seconds).
        self.waiting: list[dict[str, Any]] = []
        #: What other parts of the worker have to tell, each a custom collector's `collect`.
        self.more: list[Callable[[], Iterable[Any]]] = []
        #: What the process cannot go on with, and that there is such a thing.
        self.died: BaseException | None = None
        self.dying = asyncio.Event()

    def fatal(self, error: BaseException) -> None:
        """Note what the process cannot go on with: it is to end, with this as its reason. Not its words, which may be
        personal."""
        if self.died is None:
            at = error.__traceback__
            while at is not None and at.tb_next is not None:
                at = at.tb_next
            place = None if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
            log.critical("cannot go on", error=type(error).__name__, at=place)
            self.died = error
            self.dying.set()

    def fails(self, what: str, error: BaseException) -> None:
        """Note that something does not work. It is no progress of the consumers, whose stalls are watched."""
        self.failures[what] = f"{type(error).__name__}: {error}".splitlines()[0][:200]

    def works(self, what: str) -> None:
        """Note that it works (again)."""
        self.failures.pop(what, None)

    def failing(self, what: str, error: BaseException) -> None:
        """Note that something is being retried: the worker is alive, yet not well."""
        self.fails(what, error)
        self.counts["retries"] += 1
        self.stirred = time.monotonic()

    def succeeded(self, what: str) -> None:
        """Note that it works again."""
        self.works(what)
        self.stirred = time.monotonic()

    def committed(self, received: Iterable[float]) -> None:
        """Note webhooks whose events are now in the log, by their times of receipt (Unix seconds)."""
        now = time.time()
        for then in received:
            took = now - then
            self.latencies[bisect_left(LATENCY_BUCKETS, took)] += 1
            self.latency_sum += took

    def behind(self, lag: dict[str, int]) -> None:
        """Note the lag. Without any there is nothing to do, which is no stall."""
        self.lag = lag
        if not any(lag.values()):
            self.stirred = time.monotonic()

    def stalled_for(self) -> float:
        """Seconds without progress while there is work to do."""
        return time.monotonic() - self.stirred if sum(self.lag.values()) else 0.0

    def collect(self) -> Iterator[Any]:
        """For Prometheus (a custom collector)."""
        yield GaugeMetricFamily("threadline_worker_uptime_seconds", "Since start.", time.time() - self.started)
        for name in ("records", "events", "requests", "duplicates", "dead_letters", "retries"):
            yield CounterMetricFamily(f"threadline_worker_{name}", f"{name} so far.", self.counts[name])
        unknown = CounterMetricFamily(
            "threadline_worker_unknown_events",
            "Provider events of a kind that is not known, kept as they came.",
            labels=["source", "word"],
        )
        for (source, word), count in self.drift.seen.items():
            unknown.add_metric([source, word], count)
        yield unknown
        sent = CounterMetricFamily(
            "threadline_messages", "Outcomes of claims, by the state that followed.", labels=["state"]
        )
        for name, count in self.counts.items():
            if name.startswith("messages_"):
                sent.add_metric([name.removeprefix("messages_")], count)
        yield sent
        waiting = GaugeMetricFamily("threadline_messages_waiting", "Messages to be sent, by state.", labels=["state"])
        oldest = GaugeMetricFamily(
            "threadline_messages_oldest_seconds", "Since the oldest was accepted.", labels=["state"]
        )
        for row in self.waiting:
            waiting.add_metric([row["state"]], row["messages"])
            oldest.add_metric([row["state"]], row["oldest"])
        yield waiting
        yield oldest
        lag = GaugeMetricFamily("threadline_consumer_lag", "Records not yet committed.", labels=["topic"])
        for topic, behind in self.lag.items():
            lag.add_metric([topic], behind)
        yield lag
        total, buckets = 0, []
        for bound, count in zip([*map(str, LATENCY_BUCKETS), "+Inf"], self.latencies, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            "threadline_processing_latency_seconds", "Receipt to commit.", buckets=buckets, sum_value=self.latency_sum
        )
        for collect in self.more:
            yield from collect()


async def measure_lag(client: dict[str, Any], group: str, topics: Iterable[str]) -> dict[str, int]:
    """Records of each topic that the group has not committed, as the brokers tell it."""
    consumer = AIOKafkaConsumer(**client)
    admin = AIOKafkaAdminClient(**client)
    try:
        await consumer.start()
        await admin.start()
        committed = await admin.list_consumer_group_offsets(group)
        partitions = [TopicPartition(t, p) for t in topics for p in await _partitions(consumer, t)]
        first, last = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
        await admin.close()
    lag = dict.fromkeys(topics, 0)
    for tp in partitions:
        done = committed[tp].offset if tp in committed and committed[tp].offset >= 0 else first[tp]
        lag[tp.topic] += max(0, last[tp] - max(done, first[tp]))
    return lag


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    found = consumer.partitions_for_topic(topic)
    if found is None:
        await consumer._client.add_topic(topic)  # a consumer without subscription knows only topics it is told of
        await consumer._client.force_metadata_update()
        found = consumer.partitions_for_topic(topic)
    return sorted(found or ())


async def watch(
    health: Health, client: dict[str, Any], group: str, topics: tuple[str, ...], stall_after: float, every: float = 5.0
) -> None:
    """Measure lag for ever; end the process (status `STALLED`) where there is lag and nothing stirs for too long."""
    while True:
        try:
            health.behind(await asyncio.wait_for(measure_lag(client, group, topics), 30))
            health.works("kafka")
        except Exception as error:  # the brokers are away: that is their health, and no stall of ours
            health.failing("kafka", error)
        if health.stalled_for() > stall_after:
            log.critical("stalled", seconds=round(health.stalled_for()), lag=health.lag)
            os._exit(STALLED)
        await asyncio.sleep(every)
