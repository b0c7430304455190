"""Logs and counts what the door refuses, with a limit on log lines."""

import time

import structlog

from webhooks.counters import Counters
from webhooks.replies import Refused

#: Seconds between two log lines about one source and status; refusals in between are only counted.
QUIET = 1.0

log = structlog.get_logger("webhooks")


class Refusals:
    """Counts every refusal and logs some, so that a caller without credentials cannot fill the disk."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._since: dict[tuple[str, int], float] = {}
        self._suppressed: dict[tuple[str, int], int] = {}

    def record(self, refused: Refused) -> None:
        """Count a refusal, and log its source, status and reason. A reason never holds a body or a secret."""
        key = (refused.source, refused.status)
        self._counters.refused[key] += 1
        now = time.monotonic()
        if now - self._since.get(key, -QUIET) < QUIET:
            self._suppressed[key] = self._suppressed.get(key, 0) + 1
            return
        self._since[key] = now
        log.warning(
            "webhook_refused",
            source=refused.source,
            status=refused.status,
            reason=str(refused),
            suppressed=self._suppressed.pop(key, 0),
        )
