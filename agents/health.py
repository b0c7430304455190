"""The worker's state: counts, failures of each part, lag, alarms, and the error that ends the process.

Readiness is reported by part, with the place and reason of a failure. A fault of one client (such as a secret that cannot be
decrypted) is reported separately and does not affect readiness.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from aiokafka.errors import KafkaConnectionError

from agents.figures import LATENCY_BUCKETS, figures_of
from agents.process.within import WITHIN, Within
from agents.records.drift import Drift
from webhooks.counters import Histogram

log = structlog.get_logger(__name__)

#: The parts of a worker, each with the names of its tasks as given to `fails` and `keep_on`.
PARTS: dict[str, tuple[str, ...]] = {
    "inbound": (),
    "reported": (),
    "requests": (),
    "sender": ("sending", "notifications", "sweep", "counts"),
    "relay": ("relay", "relay lag"),
    "callbacks": ("deliveries",),
    "housekeeping": ("partitions", "gaps", "replays", "retention", "hour keys", "erasures"),
    "audit": ("sealing", "anchor file", "anchor http", "anchor kafka", "anchor s3"),
    "watch": ("kafka",),
}
_PART_OF = {what: part for part, doing in PARTS.items() for what in doing}

#: How many faults of clients are kept, and for how many seconds after they last occurred.
MOST_TENANTS, REMEMBERED = 1000, 3600.0


def part_of(what: str) -> str:
    """Return the part that a task belongs to, or the task's own name."""
    return _PART_OF.get(what, what)


def worded(error: BaseException, most: int = 200) -> str:
    """Return an error as one line of at most `most` characters."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:most]


def place_of(error: BaseException) -> str | None:
    """Return the file and line that raised an error, or None if it was not raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return None if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"


class WorkerHealth:
    """Counts and times of this process, as plain numbers that are read on request."""

    def __init__(self) -> None:
        self.started = time.time()
        self.counts: Counter[str] = Counter()
        #: Current failures by part: task to reason.
        self.parts: dict[str, dict[str, str]] = {part: {} for part in PARTS}
        #: Uncommitted records by topic; and, for partitions without progress, the seconds since the last.
        self.lag: dict[str, int] = {}
        self.idle: dict[str, float] = {}
        #: Seconds since the oldest uncommitted record of each topic was written.
        self.ages: dict[str, float] = {}
        #: What an operator must act on: subject to message.
        self.alarms: dict[str, str] = {}
        self._tenants: dict[tuple[str, str], tuple[str, float]] = {}
        self.latency = Histogram(LATENCY_BUCKETS)
        self.ready = False
        self.drift = Drift()
        #: Set when the process must end; `fault` is the reason.
        self.ending = asyncio.Event()
        self.fault: BaseException | None = None
        #: Messages waiting to be sent: `state`, `messages`, `oldest` and `overdue` (seconds).
        self.waiting: list[dict[str, Any]] = []
        #: Paused accounts: `client_id`, `account`.
        self.resting: list[dict[str, Any]] = []
        #: Rows that came while their table had no partition for them, by table.
        self.unpartitioned: dict[str, int] = {}
        #: Further metrics: the `collect` methods of other parts.
        self.more: list[Callable[[], Iterable[Any]]] = []

    @property
    def failures(self) -> dict[str, str]:
        """All current failures: task to reason."""
        return {what: why for failing in list(self.parts.values()) for what, why in list(failing.items())}

    @property
    def tenants(self) -> dict[tuple[str, str], str]:
        """Faults of clients: client and subject to reason. Each is dropped an hour after it last occurred."""
        now = time.monotonic()
        return {of: why for of, (why, seen) in list(self._tenants.items()) if now - seen < REMEMBERED}

    def fails(self, what: str, error: BaseException) -> None:
        """Record that `what` fails, for the part that this task belongs to, or else the part that `what` belongs to."""
        within = WITHIN.get() or Within(part_of(what))
        reason = f"{within.where}: {worded(error)}" if within.where else worded(error)
        self.parts.setdefault(within.part, {})[what] = reason

    def works(self, what: str) -> None:
        """Record that `what` works."""
        within = WITHIN.get() or Within(part_of(what))
        self.parts.setdefault(within.part, {}).pop(what, None)

    def failing(self, what: str, error: BaseException) -> None:
        """Record that `what` fails and is being retried."""
        self.fails(what, error)
        self.counts["retries"] += 1

    def fatal(self, error: BaseException) -> None:
        """End the process, so that its supervisor restarts it, because of an error that no retry can resolve. The first call
        counts."""
        if self.fault is None:
            self.fault = error
            # Messages of foreign exceptions may contain customers' data, so only messages of our own exceptions, and of brokers', are logged.
            ours = type(error).__module__.partition(".")[0] in ("__main__", "agents", "app")
            ours = ours or isinstance(error, KafkaConnectionError)
            log.critical(
                "the worker ends itself", error=worded(error) if ours else type(error).__name__, at=place_of(error)
            )
            self.ending.set()

    def tenant_fails(self, client: str, what: str, error: BaseException) -> None:
        """Record that a client's secret or configuration is unusable. Other clients are not affected."""
        if (client, what) in self._tenants or len(self._tenants) < MOST_TENANTS:
            self._tenants[client, what] = (worded(error), time.monotonic())

    def tenant_works(self, client: str, what: str) -> None:
        """Record that a client's secret or configuration is usable again."""
        if self._tenants:
            self._tenants.pop((client, what), None)

    def committed(self, received: Iterable[tuple[float, str | None]]) -> None:
        """Record that webhooks with these times of receipt (Unix seconds), and ids of traces, are now in the log."""
        now = time.time()
        for then, trace in received:
            self.latency.observe(now - then, trace)

    def collect(self) -> Iterator[Any]:
        """Yield the metrics, as a Prometheus collector."""
        yield from figures_of(self)
        for collect in self.more:
            yield from collect()
