"""Asks PostgreSQL for a check of `threadline doctor`."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.settings import Settings
from sql.statements import statement


async def rows_of(settings: Settings, query: str) -> list[dict[str, Any]] | None:
    """Return the rows of a statement without parameters; None if PostgreSQL is not configured or fails, which its own check
    reports."""
    if settings.postgres.dsn is None:
        return None
    try:
        async with await psycopg.AsyncConnection[dict[str, Any]].connect(
            settings.postgres.dsn.get_secret_value(), connect_timeout=5, row_factory=dict_row
        ) as connection:
            return await (await connection.execute(statement(query))).fetchall()
    except (psycopg.Error, OSError):
        return None
