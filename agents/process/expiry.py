"""Removes rows whose time has passed, every hour, and reports on it."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from agents.health import WorkerHealth
from sql import EventStore
from sql.retention import Ages
from webhooks.cancelled import rest

log = structlog.get_logger(__name__)

#: Seconds between two removals.
EVERY = 3600.0


class Expiry:
    """The removal of expired rows. Of several workers one at a time removes; all report when that was last finished."""

    def __init__(self, store: EventStore, ages: Ages, health: WorkerHealth) -> None:
        self._store = store
        self._ages = ages
        self._health = health
        #: Rows that this process removed, by table.
        self.removed: Counter[str] = Counter()
        #: Seconds that the oldest row has been kept beyond its time, by store, after the last removal.
        self.overdue: dict[str, float] = {}
        self._finished: datetime | None = None
        health.more.append(self.collect)

    async def run(self) -> None:
        """Remove expired rows, every hour, until cancelled."""
        while True:
            await self.once()
            await rest(EVERY)

    async def once(self) -> None:
        """Remove the rows that are due, unless another process is at it, and measure what is left."""
        before = Counter(self.removed)
        try:
            await self._store.remove_expired(self._ages, self._note)
        finally:
            if rows := dict(self.removed - before):
                log.info("expired_rows_removed", rows=rows)
        self._finished, now = await self._store.retention_finished()
        for row in await self._store.expiring(self._ages):
            age = self._ages[row["store"]]
            beyond = (now - row["oldest"] - age).total_seconds() if age and row["oldest"] else 0.0
            self.overdue[row["store"]] = max(beyond, 0.0)
        # Of all clients together: a label for each would have no end.
        channels = [row for row in await self._store.expiring_channels(most=1) if row["oldest"] is not None]
        beyonds = [max((now - row["oldest"]).total_seconds() - 86400.0 * row["days"], 0.0) for row in channels]
        self.overdue["interactions"] = max(beyonds, default=0.0)
        self._health.works("retention")

    def _note(self, table: str, rows: int) -> None:
        self.removed[table] += rows

    def collect(self) -> Iterator[Any]:
        """Yield the metrics for Prometheus."""
        removed = CounterMetricFamily(
            "threadline_retention_removed_rows", "Rows removed because their time had passed.", labels=["table"]
        )
        for table, rows in dict(self.removed).items():
            removed.add_metric([table], rows)
        yield removed
        overdue = GaugeMetricFamily(
            "threadline_retention_overdue_seconds",
            "How long the oldest row has been kept beyond its time.",
            labels=["store"],
        )
        for store, seconds in dict(self.overdue).items():
            overdue.add_metric([store], seconds)
        yield overdue
        if self._finished is not None:
            yield GaugeMetricFamily(
                "threadline_retention_finished_timestamp_seconds",
                "When a removal of expired rows last finished, by any process.",
                self._finished.timestamp(),
            )
