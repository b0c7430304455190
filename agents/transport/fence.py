"""Keeps a call from going out whose worker was stopped in between, so that another one may have its message by now.

A worker has a message for the time of its lease. It may be stopped (SIGSTOP, a machine that is suspended) between any two of
its steps, and go on as if nothing had been: so the time is looked at where the bytes are about to be written, and again before
each further part. The clock is one that goes on while the machine sleeps, where there is such (CLOCK_BOOTTIME of Linux).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from agents.transport.unanswered import NoAnswer

#: What `clock` reads.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Fence(NamedTuple):
    """By when a call must have been begun, and when nothing more of it may be written; times of `clock`."""

    begin: float
    end: float

    def check(self, host: str, *, begun: bool) -> None:
        """Raises NoAnswer (kind `lease`) where it is too late; `begun`: something of the call was written already."""
        if clock() > (self.end if begun else self.begin):
            raise NoAnswer(f"{host}: the worker was stopped for too long, and the call not made", begun, kind="lease")


_NONE = Fence(float("inf"), float("inf"))
_FENCE: ContextVar[Fence] = ContextVar("fence", default=_NONE)


def clock() -> float:
    """Seconds since some time in the past."""
    return time.clock_gettime(_CLOCK)


def current() -> Fence:
    """The fence of the call that is being made."""
    return _FENCE.get()


@contextmanager
def fenced(begin: float, end: float) -> Iterator[None]:
    """Calls that are made within are begun by then, or not at all."""
    token = _FENCE.set(Fence(begin, end))
    try:
        yield
    finally:
        _FENCE.reset(token)
