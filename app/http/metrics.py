"""Exposes the HTTP process's metrics to Prometheus.

The hot path increments plain integers (`webhooks.counters`), which are read at a scrape.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.auditing.entering import Auditing
from app.exposition import buckets_of
from app.http.listening.connections import Connections
from sql.pool import Pooled
from webhooks.aggregate import Door
from webhooks.counters import Counters, Histogram


class HttpMetrics(Collector):
    """The metrics of one door and of the other routes (`others`) since this process started."""

    def __init__(self, door: Door, others: Counters) -> None:
        #: The server's connections, if it is listening.
        self.connections: Connections | None = None
        #: Further metrics, if the process follows the settings' files.
        self.more: Callable[[], Iterator[Metric]] | None = None
        #: The store, once it is opened.
        self.store: Pooled | None = None
        #: The audit, once the store is opened.
        self.audit: Auditing | None = None
        self._door = door
        self._others = others
        self._started = time.monotonic()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.registry.register(PROCESS_COLLECTOR)

    def collect(self) -> Iterable[Metric]:
        """Yield the current metrics."""
        yield _gauge("uptime_seconds", "Since this process started.", time.monotonic() - self._started)
        yield from self._webhooks()
        yield from self._listening()
        yield from self._kafka()
        if self.store is not None:
            yield from pool_metrics(self.store)
            yield from key_metrics(self.store)
        if self.audit is not None:
            yield _count("audit_entries", "Entries of requests written to the audit.", self.audit.written)
            yield _count("audit_entries_lost", "Entries of requests that could not be written.", self.audit.lost)
            yield _gauge("audit_entries_waiting", "Entries of requests that wait to be written.", self.audit.waiting)
        yield _counter("api_answers", "Answers of the other routes.", self._others.answered, "status")
        yield _histogram("api_seconds", "Other routes: from request to answer.", self._others.latency)
        if self.more is not None:
            yield from self.more()

    def _webhooks(self) -> Iterator[Metric]:
        counters = self._door.counters
        yield _counter("webhooks_kept", "Webhooks kept, and then acknowledged.", counters.kept, "source")
        yield _counter("webhooks_refused", "Requests refused.", counters.refused, "source", "status")
        yield _counter("door_answers", "Answers of the door.", counters.answered, "status")
        yield _count(
            "door_disconnects", "Callers who disconnected before their request was complete.", counters.disconnected
        )
        yield _histogram("door_seconds", "From a request's head to its answer.", counters.latency)
        yield _histogram("webhook_bytes", "Sizes of the bodies kept.", counters.size)
        yield _gauge("door_in_flight", "Requests being served by the door.", self._door.in_flight)
        yield _gauge("door_held_bytes", "Bytes of the bodies being verified and kept.", self._door.held)

    def _listening(self) -> Iterator[Metric]:
        if (table := self.connections) is None:
            return
        yield _gauge("connections", "Open now.", table.count)
        yield _gauge("connections_limit", "That may be open at once.", table.bounds.connections)
        yield _gauge("unfinished_bytes", "Bytes of incomplete bodies.", table.held)
        yield _counter("connections_ended", "Connections that we ended, by reason.", table.ended, "reason")

    def _kafka(self) -> Iterator[Metric]:
        keep = self._door.keep
        spool = keep.spool
        yield _gauge("kafka_reachable", "1: webhooks go to Kafka; 0: to the spool.", int(keep.reachable))
        yield _gauge(
            "webhooks_held_back",
            "1: webhooks are spooled, since Kafka would delete unread ones.",
            int(keep.held is not None),
        )
        yield _count("kafka_records", "Records acknowledged by Kafka without spooling.", keep.sent)
        yield _gauge("spool_records", "Records on disk that wait for Kafka.", spool.records)
        yield _gauge("spool_bytes", "Bytes on disk that wait for Kafka.", spool.bytes)
        yield _gauge("spool_limit_bytes", "Bytes that may wait, before webhooks are refused.", spool.limit)
        yield _gauge("spool_age_seconds", "Seconds since the oldest of them arrived.", spool.age)
        yield _count("spool_written", "Records written to the spool.", spool.written)
        yield _count("spool_drained", "Records of the spool acknowledged by Kafka.", keep.drained)
        yield _count("spool_failed", "Records not written because the spool was full or the disk failed.", spool.failed)
        yield _count("spool_set_aside", "Records that Kafka rejects, kept in separate files.", spool.aside)
        yield _gauge("spool_aside_bytes", "Bytes of those files and of corrupt ones.", spool.aside_bytes)


def pool_metrics(store: Pooled) -> Iterator[Metric]:
    """Yield the metrics of a store's pool of connections, for either process."""
    yield _gauges(
        "pool_connections", "Connections to PostgreSQL, and calls that wait for one.", store.pool_figures(), "state"
    )


def key_metrics(store: Pooled) -> Iterator[Metric]:
    """Yield the metrics of the keys of raw records, for either process."""
    hours = store.hours
    yield _gauge(
        "hour_keys_ahead", "Hours for which there are keys of webhooks, with this one.", hours.hours_ahead("records")
    )
    yield _count("records_with_own_key", "Records sealed without the key of the hour, by one of their own.", hours.own)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"threadline_{name}", help, value)


def _gauges(name: str, help: str, values: Mapping[str, float], label: str) -> Metric:
    family = GaugeMetricFamily(f"threadline_{name}", help, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _count(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"threadline_{name}", help, value)


def _counter(name: str, help: str, counts: Mapping[Any, int], *labels: str) -> Metric:
    family = CounterMetricFamily(f"threadline_{name}", help, labels=labels)
    # A copy, since the original may grow during the scrape.
    for key, value in dict(counts).items():
        family.add_metric([str(part) for part in (key if isinstance(key, tuple) else (key,))], value)
    return family


def _histogram(name: str, help: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(f"threadline_{name}", help, buckets_of(histogram), histogram.total)
