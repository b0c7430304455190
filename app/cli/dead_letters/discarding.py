"""`threadline dead-letters discard`."""

from dataclasses import replace
from typing import Annotated

import typer

from app.cli.dead_letters.which import (
    NO_SUCH,
    ClientId,
    Ids,
    Matching,
    Since,
    Source,
    Topic,
    Until,
    batches,
    filter_of,
    uuids,
)
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.progress import Yes, confirmed, progress
from app.cli.support.store import actor, in_store
from app.cli.support.terminal import FAILED, MISUSED, print_error, print_note
from sql import EventStore, Filter

#: Characters of a reason.
MOST = 500


def discard(
    ids: Ids = None,
    reason: Annotated[str, typer.Option("--reason", help="Why they are discarded; it is kept with them.")] = "",
    source: Source = None,
    topic: Topic = None,
    matching: Matching = None,
    client: ClientId = None,
    since: Since = None,
    until: Until = None,
    remove: Annotated[
        bool, typer.Option("--remove-record", help="Remove the records as well: they cannot be seen or replayed then.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Discard dead letters that need no replay. Each stays in the list, with who discarded it, when and why.

    Asks before it discards more than one. Exit code 1 where one was handled before.
    """
    known, which = uuids(ids), filter_of(source, topic, matching, client, since, until)
    if isinstance(known, str):
        return print_error(NO_SUCH.format(known), MISUSED)
    if not known and which == Filter():
        return print_error("Give an ID; or --source, --topic or another option for all not yet handled.", MISUSED)
    if not reason.strip() or len(reason) > MOST:
        return print_error(f"Say why, in at most {MOST} characters: --reason TEXT.", MISUSED)

    async def work(store: EventStore) -> int:
        chosen = replace(which, handled=False)
        total = len(known) if known else (await store.dead_letters_count(chosen))[0]
        if not total:
            return print_note("There was no dead letter to discard: none that matches is waiting.")
        record = " and their records removed" if remove else ""
        if total > 1 and not confirmed(f"{total} dead letters will be discarded{record}. Go on?", yes):
            return print_error("Nothing was discarded; --yes discards without asking.")
        done = 0
        if known:
            done = len(await store.discard_dead_letters(known, reason.strip(), actor(), remove=remove))
        else:
            with progress("discarding", total) as advance:
                async for rows in batches(store, chosen):
                    some = [row["id"] for row in rows]
                    done += len(await store.discard_dead_letters(some, reason.strip(), actor(), remove=remove))
                    advance(len(rows))
        if as_json:
            print_json({"discarded": done})
        left = total - done if known else 0
        more = f" {left} not: there is no such one, or it was replayed or discarded before." if left else ""
        print_note(f"{done} discarded.{more}")
        return FAILED if left else 0

    return in_store(work)
