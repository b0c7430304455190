"""Classifies errors of the store: transient, or caused by the data."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg import errors

#: Tries of a transaction that failed because of another one; then the error is raised.
TRIES = 5

T = TypeVar("T")


class Unstorable(ValueError):
    """An event cannot be written as JSON, so a retry is useless: `index` is its place in the batch, `reason` the
    cause."""

    def __init__(self, index: int, reason: str) -> None:
        """Keep the place and the cause; `str()` returns the cause."""
        super().__init__(reason)
        self.index, self.reason = index, reason


#: Errors of the data, for which a retry is useless: SQLSTATE classes 22 and 23, values beyond a limit of PostgreSQL (a
#: text of a gigabyte, JSON nested too deeply), and values that are not JSON.
#: https://www.postgresql.org/docs/current/errcodes-appendix.html
DATA_ERRORS: tuple[type[Exception], ...] = (
    Unstorable,
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
)

#: SQLSTATE classes of transient errors: connection lost, transaction to be repeated, insufficient resources, operator
#: intervention, system error; and single states: lock not available, object in use, read-only (a failover), transaction
#: idle or open for too long. A schema that is not migrated yet is not transient.
_TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
_TRANSIENT_STATES = frozenset({"55P03", "55006", "25006", "25P03", "25P04"})
#: Errors after which the transaction is retried at once: another transaction caused them, and that one is over.
REPEAT = (errors.SerializationFailure, errors.DeadlockDetected)
#: The SQLSTATE with which a transaction fails if it wrote under a handle that was erased meanwhile (`queries/erased.sql`).
ERASED = "40E01"


def is_transient(error: BaseException) -> bool:
    """Return whether a retry may succeed: the server is away or busy, or another transaction interfered."""
    if isinstance(error, DATA_ERRORS) or not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:  # raised by the client: connection lost, or none available in time
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES


async def repeated(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work`, which is one transaction; repeat it if another transaction made it fail. The swap at the end of a rebuild does so to a
    query that has locked one of the tables and waits for the other."""
    for attempt in range(1, TRIES + 1):
        try:
            return await work()
        except REPEAT:
            if attempt == TRIES:
                raise
            await asyncio.sleep(0.005 * attempt)
    raise AssertionError("unreachable")
