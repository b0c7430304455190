"""What the worker knows of itself: counts, what each part fails at, how far it is behind, and what ends the process.

Readiness is told by part, with where it fails and why. What is one client's own fault (a secret that does not open) is
shown beside, and makes nothing unready.
"""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from agents.process.within import WITHIN, Within
from agents.records.drift import Drift

log = structlog.get_logger(__name__)

#: The parts of a worker, each with what it does that may fail: the names given to `fails` and `keep_on`.
PARTS: dict[str, tuple[str, ...]] = {
    "inbound": (),
    "reported": (),
    "requests": (),
    "sender": ("sending", "notifications", "sweep", "counts"),
    "relay": ("relay", "relay lag"),
    "callbacks": ("deliveries",),
    "housekeeping": ("partitions", "gaps"),
    "watch": ("kafka",),
}
_PART_OF = {what: part for part, doing in PARTS.items() for what in doing}

#: Clients' own faults that are shown, and the seconds after which one that is not met again is forgotten.
MOST_TENANTS, REMEMBERED = 1000, 3600.0
#: Seconds from receipt to commit.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)


def part_of(what: str) -> str:
    """The part that does this; itself where it is of none."""
    return _PART_OF.get(what, what)


def worded(error: BaseException) -> str:
    """An error in one line of at most 200 characters."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


def place_of(error: BaseException) -> str | None:
    """The file and the line that raised it; None where it was not raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return None if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"


class Health:
    """Counts and times of this process. Plain numbers, read when somebody asks."""

    def __init__(self) -> None:
        self.started = time.time()
        self.counts: Counter[str] = Counter()
        #: What fails now, by part: what it does, and why that fails.
        self.parts: dict[str, dict[str, str]] = {part: {} for part in PARTS}
        #: By topic, the records not yet committed; by partition of those without progress, for how many seconds.
        self.lag: dict[str, int] = {}
        self.idle: dict[str, float] = {}
        #: What an operator must see to, in words, by what it is about.
        self.alarms: dict[str, str] = {}
        self._tenants: dict[tuple[str, str], tuple[str, float]] = {}
        self.latencies = [0] * (len(LATENCY_BUCKETS) + 1)
        self.latency_sum = 0.0
        self.ready = False
        self.drift = Drift()
        #: Set once the process must end, for the reason in `fault`.
        self.ending = asyncio.Event()
        self.fault: BaseException | None = None
        #: What waits to be sent: `state`, `messages`, `oldest` (seconds).
        self.waiting: list[dict[str, Any]] = []
        #: Accounts whose calls fail: `client_id`, `account`.
        self.resting: list[dict[str, Any]] = []
        #: What other parts of the worker have to tell, each a custom collector's `collect`.
        self.more: list[Callable[[], Iterable[Any]]] = []

    @property
    def failures(self) -> dict[str, str]:
        """All that fails now, of whichever part: what, and why."""
        return {what: why for failing in list(self.parts.values()) for what, why in list(failing.items())}

    @property
    def tenants(self) -> dict[tuple[str, str], str]:
        """What is a client's own fault, by client and what: why. Forgotten after an hour in which it was not met again."""
        now = time.monotonic()
        return {of: why for of, (why, seen) in list(self._tenants.items()) if now - seen < REMEMBERED}

    def fails(self, what: str, error: BaseException) -> None:
        """Note that something does not work: of the part whose task this is, else of the part that `what` names."""
        within = WITHIN.get() or Within(part_of(what))
        reason = f"{within.where}: {worded(error)}" if within.where else worded(error)
        self.parts.setdefault(within.part, {})[what] = reason

    def works(self, what: str) -> None:
        """Note that it works (again)."""
        within = WITHIN.get() or Within(part_of(what))
        self.parts.setdefault(within.part, {}).pop(what, None)

    def failing(self, what: str, error: BaseException) -> None:
        """Note that something is being retried: the worker is alive, yet not well."""
        self.fails(what, error)
        self.counts["retries"] += 1

    def fatal(self, error: BaseException) -> None:
        """End the process, which its supervisor starts again: something failed that no retry in it can mend. The first
        reason counts."""
        if self.fault is None:
            self.fault = error
            # Only our own exceptions' words: those of others may hold what a customer sent.
            ours = type(error).__module__.partition(".")[0] in ("__main__", "agents", "app")
            log.critical(
                "the worker ends itself", error=worded(error) if ours else type(error).__name__, at=place_of(error)
            )
            self.ending.set()

    def tenant_fails(self, client: str, what: str, error: BaseException) -> None:
        """Note that a client's own secret or configuration does not do. The others go on, and so does the worker."""
        if (client, what) in self._tenants or len(self._tenants) < MOST_TENANTS:
            self._tenants[client, what] = (worded(error), time.monotonic())

    def tenant_works(self, client: str, what: str) -> None:
        """Note that it does (again)."""
        if self._tenants:
            self._tenants.pop((client, what), None)

    def committed(self, received: Iterable[float]) -> None:
        """Note webhooks whose events are now in the log, by their times of receipt (Unix seconds)."""
        now = time.time()
        for then in received:
            took = now - then
            self.latencies[bisect_left(LATENCY_BUCKETS, took)] += 1
            self.latency_sum += took

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
        resting = GaugeMetricFamily(
            "threadline_account_resting", "Accounts by which nothing is sent just now.", labels=["client", "account"]
        )
        for row in self.resting:
            resting.add_metric([row["client_id"], row["account"]], 1)
        yield resting
        lag = GaugeMetricFamily("threadline_consumer_lag", "Records not yet committed.", labels=["topic"])
        for topic, behind in self.lag.items():
            lag.add_metric([topic], behind)
        yield lag
        idle = GaugeMetricFamily(
            "threadline_partition_idle_seconds",
            "Of a partition that is behind, since its offset moved.",
            labels=["partition"],
        )
        for partition, seconds in dict(self.idle).items():
            idle.add_metric([partition], seconds)
        yield idle
        failing = GaugeMetricFamily("threadline_part_failing", "1: the part does not work now.", labels=["part"])
        for part, why in dict(self.parts).items():
            failing.add_metric([part], int(bool(why)))
        yield failing
        faults = GaugeMetricFamily(
            "threadline_tenant_faults",
            "1: the client's own secret or configuration does not do.",
            labels=["client", "what"],
        )
        for client, what in self.tenants:
            faults.add_metric([client, what], 1)
        yield faults
        yield GaugeMetricFamily(
            "threadline_alarms", "What an operator must see to; /readyz says what.", len(self.alarms)
        )
        total, buckets = 0, []
        for bound, count in zip([*map(str, LATENCY_BUCKETS), "+Inf"], self.latencies, strict=True):
            total += count
            buckets.append((bound, total))
        yield HistogramMetricFamily(
            "threadline_processing_latency_seconds", "Receipt to commit.", buckets=buckets, sum_value=self.latency_sum
        )
        for collect in self.more:
            yield from collect()
