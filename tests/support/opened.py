"""What a test reads of the database past the store, opened with the tests' key."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from sql import EventStore
from tests.support.keys import SEAL


async def opened(dsn: str, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query, with what is sealed in them opened: in the columns of `sql.opened_rows.COLUMNS`, so `sealed AS value`
    of a handle; with a payload its event's `type` must be asked for."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row) as db:
        await db.execute("SET search_path = threadline")
        cursor = db.cursor(binary=True)
        rows = await (await cursor.execute(query)).fetchall()
    async with await EventStore.open(dsn, SEAL, pool=1) as store:
        return await store._opened(rows)
