"""The check of `threadline doctor` on synchronous replication: whether commits wait for a standby that is not there."""

from collections.abc import AsyncIterator

from app.cli.doctor.asked import rows_of
from app.cli.doctor.finding import Finding
from app.settings import Settings


async def standby(settings: Settings) -> AsyncIterator[Finding]:
    """Check that PostgreSQL waits for no standby, or that one is connected. Where PostgreSQL fails, its own check reports
    it."""
    rows = await rows_of(settings, "standbys")
    if not rows or not (found := rows[0])["names"]:
        return
    if found["connected"]:
        yield Finding("Standby", "ok", f"commits wait for {found['names']}; connected: {found['connected']}")
    else:
        todo = "start a standby, or: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()"
        yield Finding("Standby", "wrong", f"every commit waits for {found['names']}, and no standby is connected", todo)
