"""What `threadline doctor` looks at in the dead letters."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import psycopg

from app.cli.doctor.finding import Finding
from app.settings import Settings
from sql import EventStore

#: How far back the doctor looks.
RECENT = timedelta(days=7)


async def dead_letters(settings: Settings) -> AsyncIterator[Finding]:
    """Nothing of the last week waits as a dead letter. What cannot be asked is another check's to say."""
    if settings.postgres.dsn is None:
        return
    try:
        async with await EventStore.open(settings.postgres.dsn.get_secret_value(), pool=1) as store:
            rows = await store.dead_letters_by_source(datetime.now(UTC) - RECENT)
    except (psycopg.Error, OSError):
        return
    if not rows:
        yield Finding("Dead letters", "ok", f"none of the last {RECENT.days} days that was not replayed")
        return
    found = ", ".join(f"{row['source'] or row['topic']} {row['letters']}" for row in rows[:5])
    more = f" and {len(rows) - 5} sources more" if len(rows) > 5 else ""
    yield Finding(
        "Dead letters", "look", f"of the last {RECENT.days} days: {found}{more}", "threadline dead-letters list"
    )
