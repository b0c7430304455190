"""The HTTP process's metrics for Prometheus, read from plain integers when they are asked for.

Nothing on the hot path knows of Prometheus: the door counts for itself (`webhooks.counters`), and a scrape reads that.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.http.listening.connections import Connections
from webhooks.aggregate import Door
from webhooks.counters import Counters, Histogram

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HttpMetrics(Collector):
    """Of one door, and of the other routes (`others`), since this process started."""

    def __init__(self, door: Door, others: Counters) -> None:
        #: Of the server, where one is listening.
        self.connections: Connections | None = None
        self._door = door
        self._others = others
        self._started = time.monotonic()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(PROCESS_COLLECTOR)

    def page(self) -> bytes:
        """All of it in Prometheus's text format, `MEDIA_TYPE`."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        yield _gauge("uptime_seconds", "Since this process started.", time.monotonic() - self._started)
        yield from self._webhooks()
        yield from self._listening()
        yield from self._kafka()
        yield _counter("api_answers", "Answers of the other routes.", self._others.answered, "status")
        yield _histogram("api_seconds", "Other routes: from request to answer.", self._others.latency)

    def _webhooks(self) -> Iterator[Metric]:
        counters = self._door.counters
        yield _counter("webhooks_kept", "Webhooks kept, and then acknowledged.", counters.kept, "source")
        yield _counter("webhooks_refused", "Requests refused.", counters.refused, "source", "status")
        yield _counter("door_answers", "Answers of the door.", counters.answered, "status")
        yield _count("door_disconnects", "Callers who left before their request was whole.", counters.disconnected)
        yield _histogram("door_seconds", "From a request's head to its answer.", counters.latency)
        yield _histogram("webhook_bytes", "Sizes of the bodies kept.", counters.size)
        yield _gauge("door_in_flight", "Requests being served by the door.", self._door.in_flight)
        yield _gauge("door_held_bytes", "Bytes of the bodies being judged and kept.", self._door.held)

    def _listening(self) -> Iterator[Metric]:
        if (table := self.connections) is None:
            return
        yield _gauge("connections", "Open now.", table.count)
        yield _gauge("connections_limit", "That may be open at once.", table.bounds.connections)
        yield _gauge("unfinished_bytes", "Of bodies that are not whole yet.", table.held)
        yield _counter("connections_ended", "Connections that we ended, by reason.", table.ended, "reason")

    def _kafka(self) -> Iterator[Metric]:
        keep = self._door.keep
        spool = keep.spool
        yield _gauge("kafka_reachable", "1: webhooks go to Kafka; 0: to the spool.", int(keep.reachable))
        yield _gauge(
            "webhooks_held_back", "1: they are spooled, as Kafka would delete unread ones.", int(keep.held is not None)
        )
        yield _count("kafka_records", "Records acknowledged by Kafka as they came.", keep.sent)
        yield _gauge("spool_records", "Records on disk that wait for Kafka.", spool.records)
        yield _gauge("spool_bytes", "Bytes on disk that wait for Kafka.", spool.bytes)
        yield _gauge("spool_limit_bytes", "Bytes that may wait, before webhooks are refused.", spool.limit)
        yield _gauge("spool_age_seconds", "Since the oldest of them came.", spool.age)
        yield _count("spool_written", "Records written to the spool.", spool.written)
        yield _count("spool_drained", "Records of the spool acknowledged by Kafka.", keep.drained)
        yield _count("spool_failed", "Records that found no room, or a disk that failed.", spool.failed)
        yield _count("spool_set_aside", "Records that Kafka will never take, kept in files of their own.", spool.aside)
        yield _gauge("spool_aside_bytes", "Bytes of those files, and of damaged ones.", spool.aside_bytes)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"threadline_{name}", help, value)


def _count(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"threadline_{name}", help, value)


def _counter(name: str, help: str, counts: Mapping[Any, int], *labels: str) -> Metric:
    family = CounterMetricFamily(f"threadline_{name}", help, labels=labels)
    # A copy: a scrape must not see it grow.
    for key, value in dict(counts).items():
        family.add_metric([str(part) for part in (key if isinstance(key, tuple) else (key,))], value)
    return family


def _histogram(name: str, help: str, histogram: Histogram) -> Metric:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
    return HistogramMetricFamily(f"threadline_{name}", help, buckets, histogram.total)
