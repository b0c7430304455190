"""Seals the entries of the audit, and measures how long they wait for it and when anchors were last taken."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from agents.health import WorkerHealth
from sql import EventStore
from sql.audit import BATCH
from webhooks.cancelled import rest

#: Most seconds between two looks for entries to seal.
LOOK = 5.0


class Sealer:
    """The sealing of this process; of several, one at a time seals. `sinks`: the names of those that take anchors."""

    def __init__(self, store: EventStore, health: WorkerHealth, every: float, sinks: Sequence[str]) -> None:
        self._store, self._health, self._sinks = store, health, sinks
        self._waits = timedelta(seconds=every)
        self._look = min(LOOK, every / 2)
        self._unsealed, self._measured = 0.0, time.monotonic()
        self._anchored: dict[str, float] = {}
        health.more.append(self.collect)

    async def run(self) -> None:
        """Seal without end. Raises what the store raises."""
        while True:
            while await self._store.seal_audit(self._waits) == BATCH:
                pass
            self._unsealed, ages = await self._store.audit_state(self._sinks)
            now = time.monotonic()
            # One that never took an anchor counts from the start of this process.
            self._anchored = {sink: now - ages[sink] if sink in ages else self._measured for sink in self._sinks}
            self._health.works("sealing")
            await rest(self._look)

    def collect(self) -> Iterator[Any]:
        """Yield metrics for Prometheus."""
        yield GaugeMetricFamily(
            "threadline_audit_unsealed_seconds", "How long the oldest entry of the audit waits.", self._unsealed
        )
        ages = GaugeMetricFamily(
            "threadline_audit_anchor_seconds", "Since an anchor of the audit was taken.", labels=["sink"]
        )
        now = time.monotonic()
        for sink in self._sinks:
            ages.add_metric([sink], now - self._anchored.get(sink, self._measured))
        yield ages
