"""Divides the process's file descriptors at start between connections and its own needs."""

import resource
from dataclasses import dataclass

#: Descriptors for the log, PostgreSQL, Kafka, the spool, certificates, and short-lived ones of libraries.
OWN = 160
#: The most that are useful, since connections take memory as well.
MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Budget:
    """The process's `descriptors`, the `connections` that may be open, and the `backlog` of connections not yet accepted."""

    descriptors: int
    connections: int
    backlog: int


def claim() -> int:
    """Raise the soft limit of open files (RLIMIT_NOFILE) to the hard limit, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return min(wanted, MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def divide(descriptors: int, wanted: int) -> Budget:
    """Return a budget of at most `wanted` connections that always leaves a descriptor for the next one.

    The event loop accepts the whole backlog before handling any of it, and connections closed to make room go one turn
    later, so three times the backlog stays free. Raises ValueError if there are too few descriptors.
    """
    backlog = max(16, min(1024, descriptors // 16))
    room = descriptors - OWN - 3 * backlog
    if room < 16:
        raise ValueError(
            f"this process may open {descriptors} files, too few to serve: raise the limit (ulimit -n, LimitNOFILE) to 1024"
        )
    return Budget(descriptors, min(wanted, room), backlog)
