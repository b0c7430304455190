"""The process's file descriptors, divided at its start: those for connections, and those that it needs itself."""

import resource
from dataclasses import dataclass

#: For the log, PostgreSQL's pool, Kafka's brokers, the spool, the certificates, and what libraries open for a moment.
OWN = 160
#: More are of no use: a connection takes memory as well.
MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Budget:
    """`descriptors` of the process in all; `connections` that may be open at once; `backlog` that may wait to be taken."""

    descriptors: int
    connections: int
    backlog: int


def claim() -> int:
    """Raise the limit of open files to what the process may have (RLIMIT_NOFILE, its hard limit); what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return min(wanted, MOST)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def divide(descriptors: int, wanted: int) -> Budget:
    """So many connections, at most `wanted`, that there is always a descriptor for the next.

    The loop takes all that waits in one go before any of it is looked at, and those that have to make room for it are
    closed a turn later: so three times the backlog stays free. Raises ValueError where there are too few for anything.
    """
    backlog = max(16, min(1024, descriptors // 16))
    room = descriptors - OWN - 3 * backlog
    if room < 16:
        raise ValueError(
            f"this process may open {descriptors} files, too few to serve: raise the limit (ulimit -n, LimitNOFILE) to 1024"
        )
    return Budget(descriptors, min(wanted, room), backlog)
