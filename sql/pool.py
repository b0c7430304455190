"""Holds the store's connection pool, and runs statements on it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import AsyncRowFactory, DictRow, dict_row, tuple_row
from psycopg.types.array import ListBinaryDumper
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from sql.errors import repeated
from sql.hour_keys import HourKeys
from sql.sealing import Seal
from sql.statements import numbered, statement
from sql.tenants import WHOLE, acting_for, array_literal

#: Seconds to wait for a connection before PoolTimeout is raised.
WAIT = 5.0
#: Most separate sessions at once: the relay's, the one that removes expired rows, and others.
SESSIONS = 4
#: With these options a connection ends within 25 seconds if its server is gone without closing it, as after a power failure or behind a
#: cut network. With the system's defaults a process would wait for 15 minutes to 2 hours, though a standby had long been promoted.
#: (https://www.postgresql.org/docs/current/libpq-connect.html) The connection string may set other values.
VIGILANT = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}

Connection = AsyncConnection[DictRow]


class StatementCursor(AsyncRawCursor[DictRow]):
    """Executes statements whose parameters are numbered once. psycopg numbers them at each call if a statement has more than 4,096
    bytes, which takes up to 0.1 ms."""

    async def execute(self, query: Any, params: Any = None, **how: Any) -> Self:
        """Execute a statement. `params`: by their names."""
        if params is not None:
            query, names = numbered(query)
            params = [params[name] for name in names]
        return await super().execute(query, params, **how)


class Pooled:
    """A pool of connections, each set up by `queries/session.sql`."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        seal: Seal,
        hours: HourKeys | None = None,
        sessions: AsyncConnectionPool[Connection] | None = None,
    ) -> None:
        self._pool, self._seal = pool, seal
        #: The keys of raw records that this process has.
        self.hours = hours or HourKeys(seal)
        #: The pool for work that needs a session of its own: locks that outlive a transaction, and notifications.
        self._sessions = sessions or pool

    @classmethod
    async def open(
        cls, dsn: str, seal: Seal, pool: int = 8, *, hours: HourKeys | None = None, direct: str | None = None
    ) -> Self:
        """Open a store on the database at `dsn`, as a member of threadline_service, with at most `pool` connections; `seal`
        encrypts secrets, `hours` has the keys of raw records (by default they are made with `seal`). `direct`: the connection string of
        the server itself, if `dsn` leads to a pooler that gives a session to others after each transaction; it is used for work that
        needs a session of its own.

        It returns before the first connection is made, so that a process can start while the database is away; calls
        then raise psycopg_pool.PoolTimeout (a psycopg.OperationalError) after five seconds.
        """
        connections = _pool(dsn, 1, pool, "threadline")
        await connections.open()
        sessions = _pool(direct, 0, SESSIONS, "threadline-sessions") if direct else None
        if sessions is not None:
            await sessions.open()
        return cls(connections, seal, hours, sessions)

    def pool_figures(self) -> dict[str, int]:
        """Return how many connections the pool has `open`, how many are `idle`, how many it may have (`limit`), and how many
        calls are `waiting` for one."""
        found = self._pool.get_stats()
        return {
            "open": found["pool_size"],
            "idle": found["pool_available"],
            "limit": found["pool_max"],
            "waiting": found["requests_waiting"],
        }

    async def close(self) -> None:
        """Close the connections, waiting a moment for those in use."""
        await self._pool.close()
        if self._sessions is not self._pool:
            await self._sessions.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _rows(
        self, name: str, parameters: Mapping[str, Any] | None = None, rows: AsyncRowFactory[DictRow] = dict_row
    ) -> list[dict[str, Any]]:
        """Return the rows of a query that only reads, as a row factory of psycopg makes them. It is retried once if an idle
        connection turns out to be broken."""
        try:
            return await self._run(name, parameters, rows)
        except PoolTimeout:
            raise
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and not error.sqlstate.startswith("57P"):
                raise
        return await self._run(name, parameters, rows)

    async def _row(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        rows: Sequence[dict[str, Any]] = await self._rows(name, parameters)
        return rows[0] if rows else None

    async def _run(
        self, name: str, parameters: Mapping[str, Any] | None = None, rows: AsyncRowFactory[DictRow] = dict_row
    ) -> list[dict[str, Any]]:
        """Run a statement, which is a transaction by itself; repeat it if another transaction made it fail. Return its rows."""

        async def once() -> list[dict[str, Any]]:
            async with self._pool.connection() as connection:
                cursor = connection.cursor(binary=True, row_factory=rows)
                await _execute(connection, cursor, name, parameters)
                return await cursor.fetchall()

        return await repeated(once)

    async def _run_only(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns no rows, as `_run` does."""

        async def once() -> None:
            async with self._pool.connection() as connection:
                await _execute(connection, connection.cursor(), name, parameters)

        await repeated(once)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """Yield a connection in a transaction that acts for the clients of the current task (`sql.tenants`)."""
        async with self._pool.connection() as connection, connection.transaction():
            await become(connection)
            yield connection


async def become(connection: Connection) -> None:
    """Make the current transaction act for the clients of the current task, if the task acts for clients."""
    if (clients := acting_for()) is not None:
        # Nobody reads the row of this statement: making a dict of it would be a tenth of the cost.
        cursor = connection.cursor(row_factory=tuple_row)
        await cursor.execute(statement("tenant"), {"clients": array_literal(clients)}, prepare=True)


async def _execute(
    connection: Connection, cursor: AsyncCursor[DictRow], name: str, parameters: Mapping[str, Any] | None
) -> None:
    """Execute one statement, for the clients of the current task."""
    if name in WHOLE or acting_for() is None:
        await cursor.execute(statement(name), parameters, prepare=True)
        return
    # The statements of a pipeline are one transaction, which ends with the pipeline, and one round trip:
    # https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
    async with connection.pipeline():
        await become(connection)
        await cursor.execute(statement(name), parameters, prepare=True)


def _pool(dsn: str, least: int, most: int, name: str) -> AsyncConnectionPool[Connection]:
    return AsyncConnectionPool(
        dsn,
        min_size=least,
        max_size=most,
        timeout=WAIT,
        open=False,
        configure=_configure,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "cursor_factory": StatementCursor,
            "connect_timeout": 5,
            **vigilant(dsn),
        },
        reconnect_timeout=30.0,
        name=name,
    )


def vigilant(dsn: str) -> dict[str, Any]:
    """Return those options of VIGILANT that the connection string does not set."""
    given = conninfo_to_dict(dsn)
    return {name: value for name, value in VIGILANT.items() if name not in given}


async def _configure(connection: Connection) -> None:
    # orjson is faster, and reads 1e308 as a float, not as an integer that orjson cannot write.
    set_json_loads(orjson.loads, connection)
    # Binary arrays take a tenth of the time that arrays as text take.
    connection.adapters.register_dumper(list, ListBinaryDumper)
    await connection.execute(statement("session"))
