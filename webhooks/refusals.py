"""Tells the operator what the door refuses, and why: a log line each, but never a flood of them."""

import time

import structlog

from webhooks.counters import Counters
from webhooks.replies import Refused

#: Seconds for which further refusals of one source with one status are only counted.
QUIET = 1.0

log = structlog.get_logger("webhooks")


class Refusals:
    """Counts all, logs some: a caller without a key must not be able to fill the disk."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._since: dict[tuple[str, int], float] = {}
        self._unsaid: dict[tuple[str, int], int] = {}

    def tell(self, refused: Refused) -> None:
        """Log its source, status and reason. Never a body or a secret: a reason holds none."""
        key = (refused.source, refused.status)
        self._counters.refused[key] += 1
        now = time.monotonic()
        if now - self._since.get(key, -QUIET) < QUIET:
            self._unsaid[key] = self._unsaid.get(key, 0) + 1
            return
        self._since[key] = now
        log.warning(
            "webhook_refused",
            source=refused.source,
            status=refused.status,
            reason=str(refused),
            unsaid=self._unsaid.pop(key, 0),
        )
