"""Writes dead letters, and the outcomes of replayed ones, within the transactions that append events."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.hour_keys import HourKeys
from sql.parameters import always_written, clean, json
from sql.pool import Connection
from sql.rows import DeadLetter, Replayed
from sql.sealed_records import Unopenable
from sql.sealing import NoKey, Tampered
from sql.statements import statement

#: The parts of a dead letter; each is sealed by itself.
VALUE, REASON, DETAIL = b"dead letter's value ", b"dead letter's reason ", b"dead letter's detail "

#: Quoted texts, addresses, ids and numbers, and what stands for them; as in the migration 0026.
_GENERAL = (
    (re.compile(r"""(^|[\s(:=,\[])('[^']*'|"[^"]*"|`[^`]*`|'[^']*…|"[^"]*…)"""), r"\1…"),
    (re.compile(r"[^\s]*@[^\s]*"), "…"),
    (re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"), "#"),
    (re.compile(r"\+?[0-9]+([.,:-][0-9]+)*"), "#"),
)


async def repeated_places(cursor: AsyncCursor[DictRow]) -> set[int]:
    """Return the places of the repeated events in a batch that was written; its row can be fetched again."""
    counts = await cursor.fetchone()
    assert counts is not None
    await cursor.scroll(-1)
    return set(counts["repeated"] or ())


async def note_replays(
    connection: Connection, replays: Sequence[Replayed], repeated: set[int], *, differing: bool = False
) -> None:
    """Record the outcomes of replayed records. `repeated`: the places of the rows that made no new event; with `differing` only
    replays that made a new event are recorded."""
    found = [(each, sum(at not in repeated for at in range(each.first, each.first + each.rows))) for each in replays]
    counted = [replace(each, events=each.events + made) for each, made in found if made or not differing]
    if counted:
        await note_outcomes(connection, counted, differing=differing)


async def note_outcomes(connection: Connection, replays: Sequence[Replayed], *, differing: bool = False) -> None:
    """Record the outcomes of replayed records, whose `events` are counted."""
    parameters = {"outcomes": json(orjson.dumps([_outcome(each) for each in replays])), "differing": differing}
    await connection.execute(statement("replay_outcomes"), parameters, prepare=True)


def _outcome(replay: Replayed) -> tuple[Any, ...]:
    events, dead = replay.events, replay.dead
    place = (dead.topic, str(dead.partition), str(dead.offset)) if dead is not None else (None, None, None)
    word = "dead" if dead is not None else "events" if events else "duplicate" if replay.rows else "nothing"
    return (replay.id, replay.number, replay.digest.hex(), word, events, *place)


def letters_of(letters: Sequence[DeadLetter], hours: HourKeys) -> dict[str, Any]:
    """Return the parameters of `bury`: the letters as JSON, and beside it, as bytes, their values. If dead letters are sealed, the whole
    reasons, and the details with the items, are there as sealed bytes too, since they may quote the record; the JSON then has the reasons
    in their general form. Raises NoKey."""
    sealed = hours.seals("dead")
    records = [
        (
            letter.topic,
            letter.partition,
            letter.offset,
            letter.webhook_id,
            letter.source,
            general_of(letter.reason) if sealed else letter.reason,
            None if sealed else letter.detail,
            letter.bad,
            [] if sealed else _items(letter),
            letter.size,
            letter.digest.hex() if letter.digest is not None else None,
            letter.client,
            letter.shape,
            letter.replay_of,
        )
        for letter in letters
    ]
    parts = [_sealed(letter, hours) if sealed else (letter.value, None, None) for letter in letters]
    values, reasons, details = (list(each) for each in zip(*parts, strict=True))
    return {
        "letters": json(always_written(records)),
        "bodies": values,
        "reasons": reasons,
        "details": details,
    }


def _sealed(letter: DeadLetter, hours: HourKeys) -> tuple[bytes | None, bytes, bytes | None]:
    """Return value, reason, and detail with items of a letter, sealed for its row."""
    place = place_of(letter.topic, letter.partition, letter.offset)
    beside = letter.detail is not None or letter.items
    return (
        None if letter.value is None else hours.seal("dead", VALUE + place, letter.value),
        hours.seal("dead", REASON + place, clean(letter.reason).encode()),
        hours.seal("dead", DETAIL + place, always_written([letter.detail, _items(letter)])) if beside else None,
    )


def general_of(reason: str) -> str:
    """Return a reason without what differs from record to record, as the function `general_reason` of the database does."""
    for pattern, instead in _GENERAL:
        reason = pattern.sub(instead, reason)
    return reason


def _items(letter: DeadLetter) -> list[dict[str, Any]]:
    return [item._asdict() for item in letter.items]


def place_of(topic: str, partition: int, offset: int) -> bytes:
    """Return the place of a dead letter, which names its row."""
    return f"{topic} {partition} {offset}".encode()


def open_letter(row: dict[str, Any], hours: HourKeys) -> None:
    """Open the sealed columns of a row, in place, and set `unopenable`: None, or why they cannot be opened. If they cannot, `reason` stays
    in its general form, and `value` and `detail` are None."""
    reason, detail = row.pop("sealed_reason"), row.pop("sealed_detail", None)
    row["unopenable"] = None
    if reason is None:
        return
    place = place_of(row["topic"], row["partition"], row["offset"])
    try:
        row["reason"] = hours.open(reason, REASON + place).decode()
        if detail is not None:
            row["detail"], row["items"] = orjson.loads(hours.open(detail, DETAIL + place))
        if row.get("value") is not None:
            row["value"] = hours.open(row["value"], VALUE + place)
    except (Unopenable, Tampered, NoKey) as error:
        row["unopenable"] = str(error)
        if "value" in row:
            row["value"] = None
