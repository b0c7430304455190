"""Reads a whole database as text, for a search: every table, in blocks."""

from collections.abc import AsyncIterator

import psycopg
from psycopg import sql as composed

from sql.statements import statement

#: Bytes of a block.
BLOCK = 1 << 20


async def whole(dsn: str) -> AsyncIterator[tuple[str, bytes | None]]:
    """Yield each table's name with its blocks, at least one; None for a table that this role may not read. Raises psycopg.Error."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        tables = await (await connection.execute(statement("searched_tables"))).fetchall()
        for schema, table in tables:
            name = table if schema == "threadline" else f"{schema}.{table}"
            try:
                async for block in _rows(connection, schema, table):
                    yield name, block
            except psycopg.errors.InsufficientPrivilege:
                yield name, None


async def _rows(connection: psycopg.AsyncConnection, schema: str, table: str) -> AsyncIterator[bytes]:
    text = composed.SQL(statement("search_table").decode()).format(table=composed.Identifier(schema, table))
    gathered = bytearray()
    async with connection.cursor() as cursor, cursor.copy(text) as copy:
        async for part in copy:
            gathered += part
            if len(gathered) >= BLOCK:
                yield bytes(gathered)
                gathered.clear()
    yield bytes(gathered)
