"""Keeps the keys of raw records: makes them ahead, and destroys those whose records' time has ended."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily

from agents.health import WorkerHealth
from app.kafka import client_args
from app.kafka.topics import READ, TOPICS
from app.kafka.unread import GROUP, Log, Retention
from app.settings import Settings
from sql import EventStore
from sql.hours import STEP
from webhooks.cancelled import rest

log = structlog.get_logger(__name__)

#: Seconds between two looks, and between two steps.
EVERY, PAUSE = 3600.0, 0.1
#: How much longer than Kafka keeps records their keys are kept: for the time in a spool, and clocks that differ.
MARGIN = timedelta(days=3)
#: Days by which the end of raw webhooks is later than their age: they are dropped by the day, and in a bucket a day later.
DAYS_LATE = 2
_EVENTS = "events.recorded"


class HourKeeping:
    """The keys' making and destruction, beside what the process needs itself."""

    def __init__(self, store: EventStore, settings: Settings, health: WorkerHealth) -> None:
        self._store, self._settings, self._health = store, settings, health
        #: Keys that this process destroyed, by purpose.
        self.destroyed: Counter[str] = Counter()
        health.more.append(self.collect)

    async def run(self) -> None:
        """Work every hour, until cancelled. Raises what Kafka and the database raise; then nothing more is destroyed."""
        kafka = Log(client_args(self._settings.kafka), GROUP, [topic.name for topic in TOPICS])
        try:
            while True:
                await self._store.keys_ahead()
                await self.once(await kafka.retention())
                self._health.works("hour keys")
                await rest(EVERY)
        finally:
            await kafka.close()

    async def once(self, kafka: Mapping[str, Retention]) -> None:
        """Destroy the keys whose time has ended; `kafka`: how long its topics keep records."""
        ages, before = ages_of(self._settings, kafka), Counter(self.destroyed)
        while True:
            destroyed = await self._store.destroy_hour_keys(ages)
            self.destroyed.update(destroyed)
            if len(destroyed) < STEP:
                break
            await rest(PAUSE)
        if gone := dict(self.destroyed - before):
            log.info("hour_keys_destroyed", keys=gone)

    def collect(self) -> Iterator[Any]:
        """Yield the metrics for Prometheus."""
        family = CounterMetricFamily(
            "threadline_hour_keys_destroyed",
            "Keys destroyed, as the retention of what they encrypt had ended.",
            labels=["purpose"],
        )
        for purpose, keys in dict(self.destroyed).items():
            family.add_metric([purpose], keys)
        yield family


def ages_of(settings: Settings, kafka: Mapping[str, Retention]) -> dict[str, timedelta | None]:
    """Return for each purpose how long after its hour a key is needed; None: for ever."""
    read = _longest(kafka, [topic.name for topic in READ])
    raw = timedelta(days=settings.worker.retain_raw_days + DAYS_LATE)
    return {
        "records": read,
        "dlq": _longest(kafka, [topic.name for topic in TOPICS if topic.dead_letters]),
        "events": _longest(kafka, [_EVENTS]),
        # The block, or the body, is stored when the record is read, which may be as late as Kafka has it.
        "raw": raw,
        "blobs": None if read is None else raw + read,
        "dead": settings.retention.ages["dead_letters"],
    }


def _longest(kafka: Mapping[str, Retention], topics: list[str]) -> timedelta | None:
    """Return how long the topic that keeps records the longest does, and the margin. None if one keeps them for ever, or is unknown."""
    seconds = [kafka[name].seconds if name in kafka else None for name in topics]
    return None if None in seconds else timedelta(seconds=max(s for s in seconds if s is not None)) + MARGIN
