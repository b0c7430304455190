"""Why a server cannot be reached, told once: connections that are retried log each attempt, and their last error has no cause."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

#: What a person has to do is in the error of the command.
ADVICE = "What is wrong? threadline doctor"
_HINT = "Is the server running"


class Attempts(logging.Handler):
    """Keeps why the last attempt to connect failed."""

    def __init__(self) -> None:
        """Begin without a failure."""
        super().__init__()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a warning of the pool."""
        self.last = cause(record.args[-1] if isinstance(record.args, tuple) and record.args else record.getMessage())


@contextmanager
def attempts() -> Iterator[Attempts]:
    """Keep what the pool of connections to PostgreSQL would log during the block."""
    pool, kept = logging.getLogger("psycopg.pool"), Attempts()
    was = pool.propagate
    pool.propagate = False
    pool.addHandler(kept)
    try:
        yield kept
    finally:
        pool.removeHandler(kept)
        pool.propagate = was


def cause(error: object) -> str:
    """Return the error of a connection in one line, without libpq's question whether the server runs."""
    lines = (line.strip() for line in str(error).splitlines())
    return "; ".join(line for line in lines if line and not line.startswith(_HINT)) or type(error).__name__
