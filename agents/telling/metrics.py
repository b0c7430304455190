"""Metrics of the relay and of deliveries: their counts, and their lag."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from agents.health import WorkerHealth
from sql import EventStore
from sql.relay import held_by
from webhooks.cancelled import rest

#: Seconds between two measurements of the lag.
EVERY = 5.0
#: Seconds that the log may wait for one transaction before the health check fails.
HELD_AFTER = 30.0

_LAG = {
    "events": ("relay_lag_events", "Events that were not relayed yet, counted up to 100,000."),
    "seconds": ("relay_lag_seconds", "Age of the oldest event that was not relayed yet, settled or not."),
    "horizon": ("horizon_age_seconds", "Age of the oldest transaction that appends: readers of the log wait for it."),
    "disabled": ("callbacks_disabled", "Callbacks that are disabled: gone, failing for days, or removed."),
    "overdue": ("deliveries_overdue_seconds", "Age of the delivery that is overdue the longest, since it was due."),
}


class HeldUp(Exception):
    """The relay and the streams wait too long for a transaction; the message names it."""


class NotificationMetrics:
    """Counts of this process since its start, and the lag of the installation, whichever worker relays."""

    def __init__(self, health: WorkerHealth, held_after: float = HELD_AFTER) -> None:
        """Start without counts. `held_after`: seconds that one transaction may hold back the log before health fails."""
        self.health = health
        self._held_after = held_after
        #: When (monotonic) each session that holds the log up was first seen, by its process id.
        self._seen: dict[int, float] = {}
        self.relayed = 0
        self.enqueued = 0
        #: Tries of deliveries by their outcome: `delivered`, `failed`, `gone`, `refused`, `unanswered`.
        self.outcomes: Counter[str] = Counter()
        self.lag: dict[str, float] = {}
        health.more.append(self.collect)

    async def measure(self, store: EventStore, every: float = EVERY) -> None:
        """Measure the lag, for ever, every so many seconds."""
        while True:
            holders = await store.holders()
            self.lag = await store.relay_lag() | {"horizon": self._judge(holders)}
            self.health.works("relay lag")
            await rest(every)

    def _judge(self, holders: Sequence[dict[str, Any]]) -> float:
        """Return the age of the oldest holder in seconds, 0 without one. If it is too old, note that in the health check."""
        now = time.monotonic()
        self._seen = {one["pid"]: self._seen.get(one["pid"], now) for one in holders}
        # The age of another role's transaction may be hidden: then it counts from when it was first seen here.
        aged = [(now - self._seen[one["pid"]] if one["seconds"] is None else one["seconds"], one) for one in holders]
        age, oldest = max(aged, key=lambda each: each[0], default=(0.0, None))
        if oldest is not None and age > self._held_after:
            self.health.fails("relay horizon", HeldUp(held_by(oldest, age)))
        else:
            self.health.works("relay horizon")
        return age

    def collect(self) -> Iterator[Any]:
        """Yield the metrics for Prometheus."""
        yield CounterMetricFamily("threadline_relayed_events", "Events put on events.recorded.", self.relayed)
        yield CounterMetricFamily(
            "threadline_deliveries_enqueued", "Deliveries enqueued for relayed events.", self.enqueued
        )
        outcomes = CounterMetricFamily("threadline_deliveries", "Tries of deliveries.", labels=["outcome"])
        for outcome, count in dict(self.outcomes).items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        for key, (name, help) in _LAG.items():
            if key in self.lag:
                yield GaugeMetricFamily(f"threadline_{name}", help, self.lag[key])
