"""The check of `threadline doctor` on the event log: whether its readers wait for a long transaction."""

from collections.abc import AsyncIterator

from app.cli.doctor.asked import rows_of
from app.cli.doctor.finding import Finding
from app.settings import Settings
from sql.relay import held_by


async def horizon(settings: Settings) -> AsyncIterator[Finding]:
    """Check that no transaction blocks the relay and the streams for longer than the settings allow. Where PostgreSQL
    fails, its own check reports it."""
    holders = await rows_of(settings, "holders")
    if holders is None:
        return
    held = [one for one in holders if one["seconds"] is None or one["seconds"] > settings.relay.held_after]
    for one in held:
        if one["seconds"] is not None:
            todo = f"it blocks relay, callbacks and streams; pg_terminate_backend({one['pid']}) ends it"
            yield Finding("Log", "wrong", held_by(one, one["seconds"]), todo)
        else:
            found = f"process {one['pid']} appends, as another role; for how long is hidden"
            yield Finding("Log", "look", found, "GRANT pg_read_all_stats TO the service's login shows it")
    if not held:
        yield Finding("Log", "ok", "relay and streams wait for no transaction")
