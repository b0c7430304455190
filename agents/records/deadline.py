"""Limits the processor time for reading one record, which is pure computation, and interrupts a reading that takes longer.

A process timer (ITIMER_VIRTUAL, which runs only while the process computes) sends a signal every `TICK` seconds while records
are read. If the same record has used `LIMIT` seconds of this thread's processor time, the signal handler raises TooCostly.
A record thus costs two assignments, and time spent on a busy or stopped machine does not count. A signal cannot interrupt a
call into C code; the input of such calls is bounded by the size of a record. Python handles signals in the main thread only,
so there is no limit in other threads.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds of processor time that one record may take, and between two timer signals.
LIMIT, TICK = 0.25, 0.025


class TooCostly(BaseException):
    """A record used more than its processor time. Not an Exception, so that no adapter's `except Exception` catches it."""


class Deadline:
    """Whether a record is being read, and since when."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._reading = False
        self._since: float | None = None
        self._spent = 0.0

    @property
    def limit(self) -> float:
        """The seconds that a record may take."""
        return self._limit

    def begin(self, spent: float = 0.0) -> None:
        """Start the time of a record, or go on with it: `spent` is the time that `end` returned before."""
        self._since, self._spent, self._reading = None, spent, True

    def end(self) -> float:
        """Stop the time, and return the record's time so far. After this TooCostly is not raised."""
        self._reading = False
        return self._spent if self._since is None else time.thread_time() - self._since

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Run the timer during the block."""
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
            self._since = now - self._spent
        elif now - self._since >= self._limit:
            self._since = now - self._limit + 2 * TICK  # raise again two ticks later, in case something caught it
            raise TooCostly


#: The deadline of this process.
DEADLINE = Deadline()
