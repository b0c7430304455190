"""What the worker knows of telling others: counts of the relay and of deliveries, and how far they are behind."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from agents.health import Health
from sql import EventStore

#: Seconds between two measurements of the lag.
EVERY = 5.0

_LAG = {
    "events": ("relay_lag_events", "Settled events that were not relayed yet, counted up to 100,000."),
    "seconds": ("relay_lag_seconds", "Age of the oldest event that was not relayed yet."),
    "disabled": ("callbacks_disabled", "Callbacks that are told nothing: gone, failing for days, or removed."),
    "overdue": ("deliveries_overdue_seconds", "How long the delivery that is longest due has been due."),
}


class Telling:
    """Of this process, since its start; the lag is that of the installation, whoever relays."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.relayed = 0
        self.enqueued = 0
        #: Tries of deliveries by what came of them: `delivered`, `failed`, `gone`, `refused`, `unanswered`.
        self.outcomes: Counter[str] = Counter()
        self.lag: dict[str, float] = {}
        health.more.append(self.collect)

    async def measure(self, store: EventStore) -> None:
        """Measure the lag, for ever."""
        while True:
            self.lag = await store.relay_lag()
            self.health.works("relay lag")
            await asyncio.sleep(EVERY)

    def collect(self) -> Iterator[Any]:
        """For Prometheus."""
        yield CounterMetricFamily("threadline_relayed_events", "Events put on events.recorded.", self.relayed)
        yield CounterMetricFamily("threadline_deliveries_enqueued", "Deliveries that came of them.", self.enqueued)
        outcomes = CounterMetricFamily("threadline_deliveries", "Tries of deliveries.", labels=["outcome"])
        for outcome, count in dict(self.outcomes).items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        for key, (name, help) in _LAG.items():
            if key in self.lag:
                yield GaugeMetricFamily(f"threadline_{name}", help, self.lag[key])
