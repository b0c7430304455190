"""The options that say which dead letters are meant, and reading them page by page."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.support.times import FORMS, time_given
from sql import EventStore, Filter

Source = Annotated[str | None, typer.Option(help="Only those of this source.")]
Topic = Annotated[str | None, typer.Option(help="Only those of this topic, e.g. webhooks.received.")]
Matching = Annotated[
    str | None,
    typer.Option("--matching", metavar="TEXT", help="Only those with this text in what was wrong with them."),
]
ClientId = Annotated[str | None, typer.Option("--client", help="Only those of this client.")]
Since = Annotated[str | None, typer.Option(help=f"Only those since: {FORMS}.")]
Until = Annotated[str | None, typer.Option(help=f"Only those before: {FORMS}.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="The dead letters; or use the options below.")]

NO_SUCH = "There is no dead letter {}. See which there are: threadline dead-letters list"
#: Dead letters of one transaction.
BATCH = 500


def filter_of(
    source: str | None,
    topic: str | None,
    matching: str | None,
    client: str | None,
    since: str | None,
    until: str | None,
) -> Filter:
    """Return the filter that the options name. Ends the command (SystemExit) for a time that is none."""
    now = datetime.now(UTC)
    return Filter(
        client=client,
        topic=topic,
        source=source,
        reason=matching,
        since=time_given("--since", since, now),
        until=time_given("--until", until, now),
    )


def uuids(ids: list[str] | None) -> list[UUID] | str:
    """Return the ids; or the first that is none."""
    found = []
    for id in ids or ():
        try:
            found.append(UUID(id))
        except ValueError:
            return id
    return found


async def batches(store: EventStore, which: Filter) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the dead letters that there are now and pass the filter, in batches, newest first: those that come meanwhile, as
    replays that fail again, are not among them."""
    after = None
    which = replace(which, until=which.until or datetime.now(UTC))
    while rows := await store.dead_letters(which, after, BATCH):
        after = rows[-1]["recorded_at"], rows[-1]["id"]
        yield rows
