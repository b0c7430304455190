"""Append and project: one batch, one transaction, one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.blocks import pack
from sql.errors import REPEAT
from sql.parameters import always_written, array_of, events_of, json
from sql.pool import Connection, Pooled
from sql.rows import Appended, DeadLetter, Row
from sql.statements import statement

#: Tries of a transaction that another one's lock or link undid; then the caller is told.
TRIES = 5
#: Blocks larger than this (bytes) are compressed beside the event loop.
LARGE = 1 << 18
_END = (1 << 63) - 1

T = TypeVar("T")


class Appending(Pooled):
    """What writes the log."""

    async def append(
        self,
        rows: Sequence[Row],
        raw: Sequence[bytes] = (),
        dead: Sequence[DeadLetter] = (),
        written: Sequence[bytes] | None = None,
    ) -> Appended:
        """Append the events that the log has not, fold them into their interactions, keep the raw records as one
        block, and add the dead letters: all or nothing, durable on return. The same again changes nothing (but keeps
        the raw records again). What is told again otherwise (with another content, an id that was lacking, an earlier
        receipt) is appended beside the first telling, in a transaction of its own. `written` is each row as
        `sql.parameters.written` has it, where the caller made that.

        Raises Unstorable (with the place of the event at fault), psycopg.DataError or IntegrityError where the data is
        at fault (see `sql.errors`), other psycopg errors where a later try may succeed or the database is not as it
        should be.
        """
        if not rows and not raw and not dead:
            return Appended(0, 0)
        events = events_of(rows) if written is None else array_of(written)
        block = await _block(raw) if raw else None
        letters = _letters(dead) if dead else None

        async def work(connection: Connection) -> AsyncCursor[DictRow]:
            if block:
                await connection.execute(statement("keep"), block, prepare=True)
            if letters:
                await connection.execute(statement("bury"), letters, prepare=True)
            return await _write(connection, events, _links(rows), kept=bool(raw))

        # Asked for only now: a look within the transaction would be a round trip of its own.
        told = await (await self.transact(work)).fetchone()
        assert told is not None
        appended = int(told["appended"])
        if told["repeated"]:
            appended += await self._append_differing([rows[place] for place in told["repeated"]], told["block"])
        return Appended(appended, len(rows) - appended)

    async def _append_differing(self, rows: Sequence[Row], block: int | None) -> int:
        """Append what says something else than the log has under its identity; returns how many events that were."""
        differing = await self._rows("differing", {"events": json(events_of(rows))})
        if not differing:
            return 0
        again = events_of(
            [rows[one["place"]] for one in differing], [(one["variant"], one["joined"]) for one in differing]
        )

        async def work(connection: Connection) -> AsyncCursor[DictRow]:
            return await _write(connection, again, True, block=block, varied=True)

        told = await (await self.transact(work)).fetchone()
        assert told is not None
        return int(told["appended"])

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do this in one transaction, its statements in one pipeline; again where another transaction undid it."""
        for attempt in range(1, TRIES + 1):
            try:
                async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
                    await connection.execute(statement("writing"), prepare=True)
                    return await work(connection)
            except REPEAT:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.005 * attempt)
        raise AssertionError("unreachable")

    async def write(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Append and project within a transaction of `transact` that has more to do. Of what is told twice the first
        telling counts: it is what we say ourselves."""
        if rows:
            await _write(connection, events_of(rows), _links(rows))


def _links(rows: Sequence[Row]) -> bool:
    """Whether any event carries both ids of a message."""
    return any(row[0].message_id is not None and row[0].provider_message_id is not None for row in rows)


async def _write(
    connection: Connection,
    events: bytes,
    linking: bool,
    *,
    kept: bool = False,
    block: int | None = None,
    varied: bool = False,
) -> AsyncCursor[DictRow]:
    """Append and project; where it will be told how many events were `appended`. `kept`: their raw records were kept just
    now, in this transaction; else `block` has them. `varied`: they are tellings that differ from what the log has."""
    cursor = connection.cursor(binary=True)
    parameters: dict[str, Any] = {"events": json(events), "kept": kept, "block": block}
    await cursor.execute(statement("record" if linking else "append"), parameters, prepare=True)
    if linking:
        recorded = await cursor.fetchone()
        assert recorded is not None
        await _project(connection, recorded, varied)
        await cursor.scroll(-1)
    return cursor


async def _project(connection: Connection, recorded: dict[str, Any], varied: bool) -> None:
    """Fold what this transaction appended, after linking what its events know by both ids, or by what was told before."""
    if not recorded["appended"]:
        return
    xid = recorded["xid"]
    stretch = {"after_xid": xid, "after_position": 0, "upto_xid": xid, "upto_position": _END}
    if varied or recorded["unlinked"]:
        await connection.execute(statement("link_lock"), stretch, prepare=True)
        left = None
        if not varied:
            left = await (await connection.execute(statement("link_new"), stretch, prepare=True)).fetchone()
        for name in LINKING if left is None or left["pairs_left"] else ():
            await connection.execute(statement(name), stretch, prepare=True)
    await connection.execute(statement("project"), stretch, prepare=True)


#: The steps of linking a stretch of the log, in order.
LINKING = ("link", "supersede", "move", "clear")


async def _block(raw: Sequence[bytes]) -> dict[str, Any]:
    packed = await asyncio.to_thread(pack, raw) if sum(map(len, raw)) > LARGE else pack(raw)
    return {"records": len(raw), "size": packed[0], "body": packed[1]}


def _letters(letters: Sequence[DeadLetter]) -> dict[str, Any]:
    """The parameters of `bury`: what they say as JSON, and their values, which are bytes, beside."""
    said = [
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
        )
        for letter in letters
    ]
    return {"letters": json(always_written(said)), "bodies": [letter.value for letter in letters]}
