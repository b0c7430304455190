"""The check of `threadline doctor` on dead letters."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg

from app.cli.doctor.finding import Finding
from app.keys import seal_of
from app.numbered import numbered
from app.settings import Settings
from sql import EventStore

#: The age of the oldest dead letters that are checked.
RECENT = timedelta(days=7)


async def dead_letters(settings: Settings) -> AsyncIterator[Finding]:
    """Check that no dead letter of the last week waits for a replay. Where PostgreSQL fails, its own check reports it."""
    if settings.postgres.dsn is None:
        return
    try:
        async with await EventStore.open(settings.postgres.dsn.get_secret_value(), seal_of(settings), pool=1) as store:
            rows = await store.dead_letters_by_source(datetime.now(UTC) - RECENT)
    except (psycopg.Error, OSError):
        return
    if not rows:
        yield Finding("Dead letters", "ok", f"none of the last {RECENT.days} days that was not replayed")
        return
    found = ", ".join(f"{row['source'] or row['topic']} {row['letters']}" for row in rows[:5])
    more = f" and {numbered(len(rows) - 5, 'source')} more" if len(rows) > 5 else ""
    yield Finding(
        "Dead letters", "look", f"of the last {RECENT.days} days: {found}{more}", "threadline dead-letters list"
    )
