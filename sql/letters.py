"""Writes dead letters, and what came of replayed ones, within the transactions that append events."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.parameters import always_written, json
from sql.pool import Connection
from sql.rows import DeadLetter, Replayed
from sql.statements import statement


async def repeated_places(cursor: AsyncCursor[DictRow]) -> set[int]:
    """Return the places of the repeated events in a batch that was written; its row can be fetched again."""
    counts = await cursor.fetchone()
    assert counts is not None
    await cursor.scroll(-1)
    return set(counts["repeated"] or ())


async def note_replays(
    connection: Connection, replays: Sequence[Replayed], repeated: set[int], *, differing: bool = False
) -> None:
    """Record what came of replayed records. `repeated`: the places of the rows that made no new event; with `differing` only
    replays that made one are recorded."""
    found = [(each, sum(at not in repeated for at in range(each.first, each.first + each.rows))) for each in replays]
    counted = [replace(each, events=each.events + made) for each, made in found if made or not differing]
    if counted:
        await note_outcomes(connection, counted, differing=differing)


async def note_outcomes(connection: Connection, replays: Sequence[Replayed], *, differing: bool = False) -> None:
    """Record what came of replayed records whose `events` are counted."""
    parameters = {"outcomes": json(orjson.dumps([_outcome(each) for each in replays])), "differing": differing}
    await connection.execute(statement("replay_outcomes"), parameters, prepare=True)


def _outcome(replay: Replayed) -> tuple[Any, ...]:
    events, dead = replay.events, replay.dead
    place = (dead.topic, str(dead.partition), str(dead.offset)) if dead is not None else (None, None, None)
    word = "dead" if dead is not None else "events" if events else "duplicate" if replay.rows else "nothing"
    return (replay.id, replay.number, replay.digest.hex(), word, events, *place)


def letters_of(letters: Sequence[DeadLetter]) -> dict[str, Any]:
    """Return the parameters of `bury`: the letters as JSON, and beside it their values, which are bytes."""
    records = [
        (
            letter.topic,
            letter.partition,
            letter.offset,
            letter.webhook_id,
            letter.source,
            letter.reason,
            letter.detail,
            letter.bad,
            [item._asdict() for item in letter.items],
            letter.size,
            letter.digest.hex() if letter.digest is not None else None,
            letter.client,
            letter.shape,
            letter.replay_of,
        )
        for letter in letters
    ]
    return {"letters": json(always_written(records)), "bodies": [letter.value for letter in letters]}
