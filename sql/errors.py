"""What a failure of the store means: may it pass, or is the data at fault?"""

import psycopg
from psycopg import errors


class Unstorable(ValueError):
    """An event cannot be written as JSON, and never will be: `index` is its place in the batch, `reason` says why."""

    def __init__(self, index: int, reason: str) -> None:
        """`str()` of it is the reason."""
        super().__init__(reason)
        self.index, self.reason = index, reason


#: The data is at fault, so no later try can succeed: SQLSTATE classes 22 and 23, what exceeds a limit of PostgreSQL's
#: (a text of a gigabyte, JSON nested too deep), and what is no JSON. https://www.postgresql.org/docs/current/errcodes-appendix.html
DATA_ERRORS: tuple[type[Exception], ...] = (
    Unstorable,
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
)

#: SQLSTATE classes, and single ones, of what passes: lost connection, transaction to be repeated, no resources, operator
#: intervention, system error; lock not available, read-only (a failover), a transaction that
#: was left open too long; schema not migrated yet is not among them.
_TRANSIENT_CLASSES = frozenset({"08", "40", "53", "57", "58"})
_TRANSIENT_STATES = frozenset({"55P03", "55006", "25006", "25P03", "25P04"})
#: Worth another try at once, since the transaction was undone only because of another that is over.
REPEAT = (errors.SerializationFailure, errors.DeadlockDetected)


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed later: the server is away or busy, or another transaction was in the way."""
    if isinstance(error, DATA_ERRORS) or not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:  # the client saw it: connection lost, or none to be had in time
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in _TRANSIENT_CLASSES or state in _TRANSIENT_STATES
