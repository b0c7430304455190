"""Blocks a call whose worker was stopped for so long that another worker may have claimed its message.

A worker holds a message for the time of its lease. The process may be stopped (SIGSTOP, a suspended machine) between
any two steps and continue without noticing, so the time is checked immediately before the first byte is written, and
again before each further part. The clock continues while the machine sleeps, where the system has such a clock
(CLOCK_BOOTTIME of Linux).
"""

import time
from contextvars import ContextVar
from typing import NamedTuple

from agents.transport.unanswered import NoAnswer

#: The clock that `clock` reads.
_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Fence(NamedTuple):
    """The latest time to begin a call, and the latest time to write any part of it; both by `clock`."""

    begin: float
    end: float

    def check(self, host: str, *, begun: bool) -> None:
        """Raise NoAnswer (kind `lease`) if it is too late. `begun`: a part of the call was written already."""
        if clock() > (self.end if begun else self.begin):
            raise NoAnswer(f"{host}: the worker was stopped for too long, and the call not made", begun, kind="lease")


_NONE = Fence(float("inf"), float("inf"))
_FENCE: ContextVar[Fence] = ContextVar("fence", default=_NONE)


def clock() -> float:
    """Return the seconds since an arbitrary time in the past."""
    return time.clock_gettime(_CLOCK)


def current() -> Fence:
    """Return the fence of the present call."""
    return _FENCE.get()


class fenced:  # a context manager; one made of a generator takes twice as long, at each call
    """Set the fence of the calls that are made within this context."""

    __slots__ = ("_fence", "_token")

    def __init__(self, begin: float, end: float) -> None:
        self._fence = Fence(begin, end)

    def __enter__(self) -> None:
        self._token = _FENCE.set(self._fence)

    def __exit__(self, *_: object) -> None:
        _FENCE.reset(self._token)
