"""Says for which clients the current task works, and makes transactions of the store act for these clients alone.

It is set while a request of one client is served, and every transaction reads it. If it is not set, a transaction acts as the login that
the store connects with: so do workers and the command line, which work for all clients.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

#: Statements that run as the login, whatever task calls them: they serve all callers at once, read no row of a client, or find out
#: who the caller is. The code that calls them filters or checks the rows; tests/integration/test_tenants.py lists each with its reason.
WHOLE = frozenset(
    {
        "account_changes",
        "api_key",
        "archived_months",
        "changes_since",
        "end_session",
        "end_session_of_client",
        "end_sessions_of",
        "export_files",
        "horizon",
        "hour_keys_ahead",
        "hour_keys_by_id",
        "last_account_change",
        "log_end",
        "need_hour_keys",
        "raw_block",
        "record_audit",
        "rotate_session",
        "session_alive",
        "session_of",
        "sessions_of_client",
        "start_session",
        "use_tokens",
        "used_api_keys",
        "withdrawn_right",
    }
)

_CLIENTS: ContextVar[tuple[str, ...] | None] = ContextVar("clients", default=None)


def acting_for() -> tuple[str, ...] | None:
    """Return the clients for which the current task acts; None for all."""
    return _CLIENTS.get()


@lru_cache(maxsize=1024)
def array_literal(clients: tuple[str, ...]) -> str:
    """Return the clients as PostgreSQL writes an array of texts; made here once, since psycopg takes 0.1 ms for each."""
    escaped = (client.replace("\\", "\\\\").replace('"', '\\"') for client in clients)
    return "{" + ",".join(f'"{client}"' for client in escaped) + "}"


@contextmanager
def acting(clients: Iterable[str] | None) -> Iterator[None]:
    """Act for these clients within the block; None: for all clients, which code that serves several callers at once needs."""
    before = _CLIENTS.set(None if clients is None else tuple(clients))
    try:
        yield
    finally:
        _CLIENTS.reset(before)
