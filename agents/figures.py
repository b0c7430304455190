"""Makes Prometheus's metrics of the worker's state."""

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from app.exposition import buckets_of
from sql.customers import MANY

if TYPE_CHECKING:
    from agents.health import WorkerHealth

#: Seconds from receipt to commit.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


def figures_of(health: "WorkerHealth") -> Iterator[Any]:
    """Yield the metrics of a worker's state."""
    yield GaugeMetricFamily("threadline_worker_uptime_seconds", "Since start.", time.time() - health.started)
    for name in ("records", "events", "requests", "duplicates", "dead_letters", "retries"):
        yield CounterMetricFamily(f"threadline_worker_{name}", f"{name} so far.", health.counts[name])
    yield CounterMetricFamily(
        "threadline_worker_large_customers",
        f"Batches that changed a customer with more than {MANY} handles.",
        health.counts["large_customers"],
    )
    unknown = CounterMetricFamily(
        "threadline_worker_unknown_events",
        "Provider events of an unknown kind, kept as received.",
        labels=["source", "word"],
    )
    yield _labelled(unknown, health.drift.seen.items())
    sent = CounterMetricFamily(
        "threadline_messages", "Outcomes of claims, by the state that followed.", labels=["state"]
    )
    outcomes = [(name, count) for name, count in health.counts.items() if name.startswith("messages_")]
    yield _labelled(sent, ((name.removeprefix("messages_"), count) for name, count in outcomes))
    yield from _sending(health)
    lag = GaugeMetricFamily("threadline_consumer_lag", "Records not yet committed.", labels=["topic"])
    yield _labelled(lag, health.lag.items())
    ages = GaugeMetricFamily(
        "threadline_consumer_lag_seconds", "Age of the oldest record that is not committed.", labels=["topic"]
    )
    yield _labelled(ages, health.ages.items())
    idle = GaugeMetricFamily(
        "threadline_partition_idle_seconds",
        "Seconds since a lagging partition last made progress.",
        labels=["partition"],
    )
    yield _labelled(idle, dict(health.idle).items())
    failing = GaugeMetricFamily("threadline_part_failing", "1: the part does not work now.", labels=["part"])
    yield _labelled(failing, ((part, int(bool(why))) for part, why in dict(health.parts).items()))
    faults = GaugeMetricFamily(
        "threadline_tenant_faults", "1: the client's secret or configuration is unusable.", labels=["client", "what"]
    )
    yield _labelled(faults, ((about, 1) for about in health.tenants))
    astray = GaugeMetricFamily(
        "threadline_unpartitioned_rows", "Rows of a month or day without a partition, up to 1,000.", labels=["table"]
    )
    yield _labelled(astray, health.unpartitioned.items())
    yield GaugeMetricFamily(
        "threadline_alarms", "Conditions that an operator must act on; /readyz lists them.", len(health.alarms)
    )
    yield HistogramMetricFamily(
        "threadline_processing_latency_seconds",
        "Receipt to commit.",
        buckets=buckets_of(health.latency),
        sum_value=health.latency.total,
    )


def _sending(health: "WorkerHealth") -> Iterator[Any]:
    """Yield the metrics of messages that wait, and of paused accounts."""
    waiting = GaugeMetricFamily("threadline_messages_waiting", "Messages to be sent, by state.", labels=["state"])
    yield _labelled(waiting, ((row["state"], row["messages"]) for row in health.waiting))
    oldest = GaugeMetricFamily("threadline_messages_oldest_seconds", "Since the oldest was accepted.", labels=["state"])
    yield _labelled(oldest, ((row["state"], row["oldest"]) for row in health.waiting))
    yield GaugeMetricFamily(
        "threadline_messages_overdue_seconds",
        "How long the message that is longest due has been due.",
        max((row["overdue"] for row in health.waiting), default=0.0),
    )
    resting = GaugeMetricFamily(
        "threadline_account_resting", "Accounts that are paused after failures.", labels=["client", "account"]
    )
    yield _labelled(resting, (((row["client_id"], row["account"]), 1) for row in health.resting))


def _labelled(family: Any, values: Iterable[tuple[str | tuple[str, ...], float]]) -> Any:
    """Return a family of metrics with these values, each with its label or labels."""
    for labels, value in values:
        family.add_metric([labels] if isinstance(labels, str) else [*labels], value)
    return family
