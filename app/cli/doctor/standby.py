"""The check of `threadline doctor` on synchronous replication: whether commits wait for a standby that is not there."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.cli.doctor.finding import Finding
from app.settings import Settings
from sql.statements import statement


async def standby(settings: Settings) -> AsyncIterator[Finding]:
    """Check that PostgreSQL waits for no standby, or that one is connected. Where PostgreSQL fails, its own check reports
    it."""
    if settings.postgres.dsn is None:
        return
    try:
        async with await psycopg.AsyncConnection[dict[str, Any]].connect(
            settings.postgres.dsn.get_secret_value(), connect_timeout=5, row_factory=dict_row
        ) as connection:
            found = await (await connection.execute(statement("standbys"))).fetchone()
    except (psycopg.Error, OSError):
        return
    if found is None or not found["names"]:
        return
    if found["connected"]:
        yield Finding("Standby", "ok", f"commits wait for {found['names']}; connected: {found['connected']}")
    else:
        todo = "start a standby, or: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()"
        yield Finding("Standby", "wrong", f"every commit waits for {found['names']}, and no standby is connected", todo)
