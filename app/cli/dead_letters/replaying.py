"""`threadline dead-letters replay`."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.dead_letters.listing import handled_words
from app.cli.dead_letters.which import (
    BATCH,
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
from app.cli.support.progress import progress
from app.cli.support.store import actor, in_store
from app.cli.support.terminal import FAILED, MISUSED, entry, print_error, print_note
from app.numbered import numbered
from sql import EventStore, Filter

#: Seconds between two looks at the outcomes.
LOOK = 0.25


def replay(
    ids: Ids = None,
    source: Source = None,
    topic: Topic = None,
    matching: Matching = None,
    client: ClientId = None,
    since: Since = None,
    until: Until = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those replayed before: the IDs, or those without an outcome.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what comes of it.")] = 10.0,
    as_json: AsJson = False,
) -> int:
    """Process records again: a worker puts them on their topics. What was stored of them before is not stored twice.

    Waits for what comes of it. Exit code 1 where one could not be replayed, or failed again.
    """
    known, which = uuids(ids), filter_of(source, topic, matching, client, since, until)
    if isinstance(known, str):
        return print_error(NO_SUCH.format(known), MISUSED)
    if not known and which == Filter():
        return print_error("Give an ID; or --source, --topic or another option for all not yet handled.", MISUSED)

    async def work(store: EventStore) -> int:
        if known:
            asked, failed = await _each(store, known, again)
        else:
            asked, failed = await _all(store, which, again)
        rows = await _outcomes(store, asked, wait)
        return _print(rows, failed, as_json)

    return in_store(work)


async def _each(store: EventStore, ids: Sequence[UUID], again: bool) -> tuple[list[UUID], int]:
    """Replay these; return those that are replayed, and the number of those that cannot be."""
    asked = await store.replay_dead_letters(ids, actor(), again=again)
    failed = 0
    for id in ids:
        if id in asked:
            continue
        row = await store.dead_letter(id)
        if row is None:
            why = "it does not exist"
        elif row["discarded_at"]:
            why = "it was discarded"
        elif row["replayed_at"]:
            why = "it was replayed before; --again replays it once more"
        else:
            why = "its record was not kept"
        failed += 1
        print_error(f"{id} cannot be replayed: {why}.", FAILED)
    return list(asked), failed


async def _all(store: EventStore, which: Filter, again: bool) -> tuple[list[UUID], int]:
    """Replay all that pass the filter and are not handled or, with `again`, have no outcome; return them."""
    asked: list[UUID] = []
    for chosen in (replace(which, handled=False), *([replace(which, lost=True)] if again else ())):
        total, _ = await store.dead_letters_count(chosen)
        with progress("replaying", total) as advance:
            async for rows in batches(store, chosen):
                whole = [row["id"] for row in rows if row["whole"]]
                asked += await store.replay_dead_letters(whole[::-1], actor(), again=again)
                advance(len(rows))
    return asked, 0


async def _outcomes(store: EventStore, ids: Sequence[UUID], wait: float) -> list[dict[str, Any]]:
    """Return the replayed dead letters once all have an outcome, or after `wait` seconds."""
    until = time.monotonic() + wait
    done: dict[UUID, dict[str, Any]] = {}
    with progress("processed", len(ids)) as advance:
        while True:
            left = [id for id in ids if id not in done]
            for start in range(0, len(left), BATCH):
                ended = [row for row in await store.dead_letters_by_id(left[start : start + BATCH]) if row["outcome"]]
                done |= {row["id"]: row for row in ended}
                advance(len(ended))
            if len(done) == len(ids) or time.monotonic() >= until:
                break
            await asyncio.sleep(LOOK)
    left = [id for id in ids if id not in done]
    for start in range(0, len(left), BATCH):
        done |= {row["id"]: row for row in await store.dead_letters_by_id(left[start : start + BATCH])}
    return list(done.values())


#: What is said of records without an outcome.
PENDING = "no outcome yet (threadline dead-letters list --handled; is a worker running?)"


def _print(rows: Sequence[dict[str, Any]], failed: int, as_json: bool) -> int:
    counts = Counter(row["outcome"] for row in rows)
    bad = failed + counts["dead"] + counts["refused"]
    if as_json:
        print_json([{name: row[name] for name in ("id", "outcome", "outcome_events", "became")} for row in rows])
        return FAILED if bad else 0
    for row in rows[:20]:
        print(entry(str(row["id"]), handled_words(row)))
    if not rows and not failed:
        return print_note("There was no dead letter to replay: none that matches is waiting.")
    words = {
        "events": ("made events", "made events"),
        "duplicate": ("was in the log already", "were in the log already"),
        "nothing": ("made no events", "made no events"),
        "dead": ("failed again", "failed again"),
        "refused": ("is not taken by Kafka", "are not taken by Kafka"),
        None: (f"has {PENDING}", f"have {PENDING}"),
    }
    counted = [numbered(counts[outcome], *text) for outcome, text in words.items() if counts[outcome]]
    print_note(f"{len(rows)} replayed: {', '.join(counted)}." if rows else "None was replayed.")
    return FAILED if bad else 0
