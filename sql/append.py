"""Appends a batch of events and projects it onto the interactions, in one transaction and one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.blocks import pack
from sql.errors import REPEAT
from sql.handles import only
from sql.letters import letters_of, note_outcomes, note_replays, repeated_places
from sql.naming import Naming
from sql.parameters import array_of, events_of, json
from sql.pool import Connection, become
from sql.rows import Appended, DeadLetter, Replayed, Row
from sql.statements import statement

#: Tries of a transaction that failed because of another transaction; then the error is raised.
TRIES = 5
#: Blocks larger than this (bytes) are compressed in a thread, not on the event loop.
LARGE = 1 << 18
_END = (1 << 63) - 1

T = TypeVar("T")


class Appending(Naming):
    """Writes the log."""

    async def append(
        self,
        rows: Sequence[Row],
        raw: Sequence[bytes] = (),
        dead: Sequence[DeadLetter] = (),
        written: Sequence[bytes] | None = None,
        replays: Sequence[Replayed] = (),
    ) -> Appended:
        """Append the events that the log does not have, fold them into their interactions, store the raw records as one
        block, and add the dead letters: all or nothing, durable on return. Repeating a call changes nothing, but stores
        the raw records again. A repeated event that differs from the log (other content, an id that was missing, an
        earlier receipt) is appended beside the first version, in a transaction of its own. `written` is the result of
        `sql.parameters.written` for each row, if the caller has it. `replays`: the replayed records among them, whose
        outcomes are recorded in the same transaction.

        Raises Unstorable (with the event's index), psycopg.DataError or IntegrityError for bad data (see `sql.errors`);
        other psycopg errors if a retry may succeed, or if the database is misconfigured.
        """
        if not rows and not raw and not dead and not replays:
            return Appended(0, 0)
        events = events_of(rows) if written is None else array_of(written)
        named = await self._named(rows)
        block = await _block(raw) if raw else None
        letters = letters_of(dead) if dead else None

        async def work(connection: Connection) -> AsyncCursor[DictRow]:
            if block:
                await connection.execute(statement("keep"), block, prepare=True)
            if letters:
                await connection.execute(statement("bury"), letters, prepare=True)
            cursor = await _write(connection, events, named, _links(rows), kept=bool(raw))
            if replays:
                await note_replays(connection, replays, await repeated_places(cursor))
            return cursor

        # Fetched only now: within the transaction it would be a round trip of its own.
        counts = await (await self.transact(work)).fetchone()
        assert counts is not None
        appended = int(counts["appended"])
        if counts["repeated"]:
            appended += await self._append_differing(rows, named, counts["repeated"], counts["block"], replays)
        return Appended(appended, len(rows) - appended)

    async def _append_differing(
        self,
        all_rows: Sequence[Row],
        all_named: dict[str, Any],
        places: Sequence[int],
        block: int | None,
        replays: Sequence[Replayed],
    ) -> int:
        """Append those of the repeated events, which stand at these places, that differ from the log; return how many."""
        rows, named = [all_rows[place] for place in places], only(all_named, places)
        differing = await self._rows("differing", {"events": json(events_of(rows)), **named})
        if not differing:
            return 0
        varied = [one["place"] for one in differing]
        again = events_of([rows[place] for place in varied], [(one["variant"], one["joined"]) for one in differing])
        named = only(named, varied)

        async def work(connection: Connection) -> AsyncCursor[DictRow]:
            cursor = await _write(connection, again, named, True, block=block, varied=True)
            if replays:
                repeated = await repeated_places(cursor)
                fresh = {places[one["place"]] for at, one in enumerate(differing) if at not in repeated}
                await note_replays(connection, replays, set(range(len(all_rows))) - fresh, differing=True)
            return cursor

        counts = await (await self.transact(work)).fetchone()
        assert counts is not None
        return int(counts["appended"])

    async def note_replays(self, replays: Sequence[Replayed]) -> None:
        """Record what came of replayed records whose `events` are counted, and were appended before."""
        await self.transact(lambda connection: note_outcomes(connection, replays))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in one transaction and one pipeline; repeat it if another transaction made it fail."""
        for attempt in range(1, TRIES + 1):
            try:
                async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
                    await connection.execute(statement("writing"), prepare=True)
                    await become(connection)
                    return await work(connection)
            except REPEAT:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(0.005 * attempt)
        raise AssertionError("unreachable")

    async def write(self, connection: Connection, rows: Sequence[Row], named: dict[str, Any]) -> None:
        """Append and project events of our own within a transaction of `transact`. `named`: their handles, found before the
        transaction began. Repeated events are ignored."""
        if rows:
            await _write(connection, events_of(rows), named, _links(rows))


def _links(rows: Sequence[Row]) -> bool:
    """Return whether any event has both the provider's id and our id of a message, or links handles."""
    return any(
        row[0].type == "HandleLinked"
        or (
            row[0].provider_message_id is not None
            and (row[0].message_id is not None or row[0].echoed_message_id is not None)
        )
        for row in rows
    )


async def _write(
    connection: Connection,
    events: bytes,
    named: dict[str, Any],
    linking: bool,
    *,
    kept: bool = False,
    block: int | None = None,
    varied: bool = False,
) -> AsyncCursor[DictRow]:
    """Append and project; return the cursor whose row will have the number of events `appended`. `named`: the parameters of the
    events' handles (`sql.naming`); `kept`: this
    transaction stored their raw records; else `block` is the block that holds them. `varied`: they are repeated events
    that differ."""
    cursor = connection.cursor(binary=True)
    parameters: dict[str, Any] = {"events": json(events), **named, "kept": kept, "block": block}
    await cursor.execute(statement("record" if linking else "append"), parameters, prepare=True)
    if linking:
        recorded = await cursor.fetchone()
        assert recorded is not None
        await _project(connection, recorded, varied)
        await cursor.scroll(-1)
    return cursor


async def _project(connection: Connection, recorded: dict[str, Any], varied: bool) -> None:
    """Fold what this transaction appended, after linking the references that its events connect; then join the handles that
    they link."""
    if not recorded["appended"]:
        return
    xid = recorded["xid"]
    span = {"after_xid": xid, "after_position": 0, "upto_xid": xid, "upto_position": _END}
    if varied or recorded["unlinked"]:
        await connection.execute(statement("link_lock"), span, prepare=True)
        left = None
        if not varied:
            left = await (await connection.execute(statement("link_new"), span, prepare=True)).fetchone()
        for name in LINKING if left is None or left["pairs_left"] else ():
            await connection.execute(statement(name), span, prepare=True)
    if recorded["relating"]:
        # Before the fold: a transaction that waits for the lock must not hold interactions that the lock's holder waits for.
        await connection.execute(statement("customers_lock"), span, prepare=True)
    await connection.execute(statement("project"), span, prepare=True)
    if recorded["relating"]:
        await relate(connection, span)


async def relate(connection: Connection, span: dict[str, Any]) -> None:
    """Join the handles that a range of the log links to customers."""
    cursor = await connection.execute(statement("relate_handles"), span, prepare=True)
    row = await cursor.fetchone()
    if row is not None and row["changed"] is not None:
        await connection.execute(statement("assign_customers"), row, prepare=True)


#: The statements that link a range of the log, in order.
LINKING = ("link", "supersede", "move", "clear")


async def _block(raw: Sequence[bytes]) -> dict[str, Any]:
    packed = await asyncio.to_thread(pack, raw) if sum(map(len, raw)) > LARGE else pack(raw)
    return {"records": len(raw), "size": packed[0], "body": packed[1]}
