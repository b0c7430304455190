"""Opens stores of one connection, and reads how long PostgreSQL's processes for them had a processor."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from app.embedded.postgres import Postgres
from sql import EventStore
from tests.support.keys import SEAL

#: The processes of this database's other connections.
PIDS: LiteralString = """SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""

Connection = psycopg.AsyncConnection[Any]


async def watched(opened: AsyncExitStack, server: Postgres, database: str) -> tuple[EventStore, Connection]:
    """Return a store of one connection to a database, and a connection beside that watches it. `opened` closes both."""
    store = await opened.enter_async_context(await EventStore.open(server.dsn("service", database), SEAL, pool=1))
    return store, await watching(opened, server, database)


async def watching(opened: AsyncExitStack, server: Postgres, database: str) -> Connection:
    """Return a connection that sees the processes of a database's other connections. `opened` closes it."""
    watch = await psycopg.AsyncConnection.connect(server.dsn("superuser", database), autocommit=True)
    return await opened.enter_async_context(watch)


async def taken(watch: Connection) -> dict[int, int]:
    """Return the nanoseconds that each process of the database's other connections has taken so far."""
    return {pid: on_processor(pid) for (pid,) in await (await watch.execute(PIDS)).fetchall()}


def on_processor(pid: int) -> int:
    """Return the nanoseconds for which a process had a processor (https://docs.kernel.org/scheduler/sched-stats.html)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
