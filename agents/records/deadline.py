"""Bounds the processor time of one record's reading, which is pure: what takes longer is interrupted, wherever it is.

A timer of the process (ITIMER_VIRTUAL: it runs while the process computes) ticks while records are read; a tick that finds
the same record at work for `LIMIT` seconds of this thread's processor time raises TooCostly there. So a record costs two
assignments, and a machine that is busy or stopped costs nobody anything. A tick cannot come within one call of C: what such
calls are given is bounded by the size of a record. Outside of the main thread, where Python takes no signals, nothing ticks.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds of processor time that one record may take, and between two looks at it.
LIMIT, TICK = 0.25, 0.025


class TooCostly(BaseException):
    """A record took more than its processor time. Not an Exception, so that no adapter's `except` takes it for its own."""


class Deadline:
    """What is being read, and since when."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._reading = False
        self._since: float | None = None

    def begin(self) -> None:
        """A record's reading begins."""
        self._since, self._reading = None, True

    def end(self) -> None:
        """It is over: nothing is raised any more."""
        self._reading = False

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Look at what is read meanwhile."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGVTALRM, self._tick)
        signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    def _tick(self, *_: Any) -> None:
        if not self._reading:
            return
        now = time.thread_time()
        if self._since is None:
            self._since = now
        elif now - self._since >= self._limit:
            self._since = now - self._limit + 2 * TICK  # again, should something have swallowed it
            raise TooCostly


#: That of this process.
DEADLINE = Deadline()
