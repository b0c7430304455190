"""The connections that the store works with."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from sql.statements import statement

#: Seconds to wait for a connection, before the caller is told that the database is away or busy.
WAIT = 5.0

Connection = AsyncConnection[DictRow]


class Pooled:
    """A pool of connections, each a session as `queries/session.sql` says."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, pool: int = 8) -> Self:
        """A store on the database at `dsn`, as a member of threadline_service, with at most `pool` connections.

        Returns before the first connection is there, so that a process can start while the database is away; calls
        then raise psycopg_pool.PoolTimeout (a psycopg.OperationalError) after five seconds.
        """
        connections: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=pool,
            timeout=WAIT,
            open=False,
            configure=_configure,
            kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": 5},
            reconnect_timeout=30.0,
            name="threadline",
        )
        await connections.open()
        return cls(connections)

    async def close(self) -> None:
        """Close the connections, waiting a moment for those at work."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query that reads. A connection that broke while it lay idle is replaced once."""
        try:
            return await self._run(name, parameters)
        except PoolTimeout:
            raise
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and not error.sqlstate.startswith("57P"):
                raise
        return await self._run(name, parameters)

    async def _row(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        rows: Sequence[dict[str, Any]] = await self._rows(name, parameters)
        return rows[0] if rows else None

    async def _run(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement(name), parameters, prepare=True)
            return await cursor.fetchall()

    async def _run_only(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """A statement that gives no rows."""
        async with self._pool.connection() as connection:
            await connection.execute(statement(name), parameters, prepare=True)


async def _configure(connection: Connection) -> None:
    # Quicker, and 1e308 comes back as the float it was, not as an integer that no JSON writer of ours takes.
    set_json_loads(orjson.loads, connection)
    await connection.execute(statement("session"))
