"""Append and project: one batch, one transaction, one round trip."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sql.blocks import pack
from sql.errors import REPEAT
from sql.parameters import clean, detail_of, events_of, json
from sql.pool import Connection, Pooled
from sql.rows import Appended, DeadLetter, Row
from sql.statements import statement

#: Tries of a transaction that another one's lock or link undid; then the caller is told.
TRIES = 5
#: Blocks larger than this (bytes) are compressed beside the event loop.
LARGE = 1 << 18
_END = (1 << 63) - 1


class Appending(Pooled):
    """What writes the log."""

    async def append(self, rows: Sequence[Row], raw: Sequence[bytes] = (), dead: Sequence[DeadLetter] = ()) -> Appended:
        """Append the events that the log has not, fold them into their interactions, keep the raw records as one
        block, and add the dead letters: all or nothing, durable on return. The same again changes nothing (but keeps
        the raw records again).

        Raises Unstorable (with the place of the event at fault), psycopg.DataError or IntegrityError where the data is
        at fault (see `sql.errors`), other psycopg errors where a later try may succeed or the database is not as it
        should be.
        """
        if not rows and not raw and not dead:
            return Appended(0, 0)
        parameters: dict[str, Any] = {
            "events": json(events_of(rows)),
            "kept": bool(raw),
        }
        block = await _block(raw) if raw else None
        letters = [_letter(letter) for letter in dead]
        linking = any(row[0].message_id is not None and row[0].provider_message_id is not None for row in rows)
        for attempt in range(1, TRIES + 1):
            try:
                async with self._pool.connection() as connection:
                    appended = await _write(connection, parameters, block, letters, linking)
            except REPEAT:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.005 * attempt)
            else:
                return Appended(appended, len(rows) - appended)
        raise AssertionError("unreachable")


async def _write(
    connection: Connection,
    parameters: dict[str, Any],
    block: dict[str, Any] | None,
    letters: list[dict[str, Any]],
    linking: bool,
) -> int:
    """One try; returns how many events were new."""
    async with connection.pipeline(), connection.transaction():
        if block:
            await connection.execute(statement("keep"), block, prepare=True)
        for letter in letters:
            await connection.execute(statement("bury"), letter, prepare=True)
        cursor = connection.cursor(binary=True)
        await cursor.execute(statement("record" if linking else "append"), parameters, prepare=True)
        if linking:
            recorded = await cursor.fetchone()
            assert recorded is not None
            await _project(connection, recorded)
            return int(recorded["appended"])
    appended = await cursor.fetchone()
    assert appended is not None
    return int(appended["appended"])


async def _project(connection: Connection, recorded: dict[str, Any]) -> None:
    """Fold what this transaction appended, after linking what its events know by both ids."""
    if not recorded["appended"]:
        return
    xid = recorded["xid"]
    stretch = {"after_xid": xid, "after_position": 0, "upto_xid": xid, "upto_position": _END}
    if recorded["unlinked"]:
        await connection.execute(statement("link_lock"), prepare=True)
        for name in LINKING:
            await connection.execute(statement(name), stretch, prepare=True)
    await connection.execute(statement("project"), stretch, prepare=True)


#: The steps of linking a stretch of the log, in order.
LINKING = ("link", "supersede", "move", "clear")


async def _block(raw: Sequence[bytes]) -> dict[str, Any]:
    packed = await asyncio.to_thread(pack, raw) if sum(map(len, raw)) > LARGE else pack(raw)
    return {"records": len(raw), "size": packed[0], "body": packed[1]}


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "topic": clean(letter.topic),
        "partition": letter.partition,
        "offset": letter.offset,
        "ordinal": letter.ordinal,
        "webhook_id": letter.webhook_id,
        "source": clean(letter.source),
        "reason": clean(letter.reason),
        "detail": detail_of(letter.detail),
        "value": letter.value,
    }
