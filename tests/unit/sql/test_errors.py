"""Whether a failure may pass."""

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from sql import DATA_ERRORS, Unstorable, is_transient


@pytest.mark.parametrize(
    "error",
    [
        errors.AdminShutdown(),
        errors.CannotConnectNow(),
        errors.CrashShutdown(),
        errors.DeadlockDetected(),
        errors.DiskFull(),
        errors.LockNotAvailable(),
        errors.ReadOnlySqlTransaction(),
        errors.SerializationFailure(),
        errors.TooManyConnections(),
        psycopg.OperationalError("connection lost"),
        PoolTimeout("none to be had"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes(error: Exception) -> None:
    """The server is away, busy, full, or another transaction was in the way: the data is not at fault."""
    assert is_transient(error)
    assert not isinstance(error, DATA_ERRORS)


@pytest.mark.parametrize(
    "error",
    [
        Unstorable(0, "why"),
        errors.InvalidTextRepresentation(),
        errors.NotNullViolation(),
        errors.NumericValueOutOfRange(),
        errors.ProgramLimitExceeded(),
        errors.UntranslatableCharacter(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_the_datas_fault(error: Exception) -> None:
    """No later try can succeed."""
    assert not is_transient(error)
    assert isinstance(error, DATA_ERRORS)


@pytest.mark.parametrize(
    "error",
    [errors.UndefinedTable(), errors.InsufficientPrivilege(), errors.SyntaxError(), ValueError(), KeyError()],
    ids=lambda error: type(error).__name__,
)
def test_what_is_neither(error: Exception) -> None:
    """A schema that is not there, a right that is missing, a mistake of ours: for a person to see."""
    assert not is_transient(error)
    assert not isinstance(error, DATA_ERRORS)
