"""Appends a batch of events and projects it onto the interactions, in one transaction and one round trip."""

from collections.abc import Awaitable, Callable, Sequence

import psycopg
from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.blocks import block_of
from sql.errors import ERASED, TRIES, T, repeated
from sql.hours import HoursStore
from sql.letters import letters_of, note_outcomes, note_replays, repeated_places
from sql.pool import Connection, become
from sql.repeating import Repeating
from sql.rows import Appended, DeadLetter, Replayed, Row
from sql.sealed import Sealed
from sql.statements import statement
from sql.writing import Way, Written, way_of, write


class Appending(Repeating, HoursStore):
    """Writes the log."""

    async def append(
        self,
        rows: Sequence[Row],
        raw: Sequence[bytes] = (),
        dead: Sequence[DeadLetter] = (),
        replays: Sequence[Replayed] = (),
    ) -> Appended:
        """Append the events that the log does not have, fold them into their interactions, store the raw records as one
        block, and add the dead letters: all or nothing, durable on return. Repeating a call changes nothing, but stores
        the raw records again. A repeated event that differs from the log (other content, an id that was missing, an
        earlier receipt) is appended beside the first version, in a transaction of its own. `replays`: the replayed
        records among them, whose outcomes are recorded in the same transaction.

        Raises NoKey and Tampered (see `sql.naming`); Unstorable (with the event's index), psycopg.DataError or IntegrityError for bad data (see `sql.errors`);
        other psycopg errors if a retry may succeed, or if the database is misconfigured.
        """
        if not rows and not raw and not dead and not replays:
            return Appended(0, 0)
        await self.keys_ready(*(["raw"] if raw else ()), *(["dead"] if dead else ()))
        block = await block_of(raw, self.hours) if raw else None
        letters = letters_of(dead, self.hours) if dead else None

        async def once() -> Written:
            sealed = await self._sealed(rows)
            return await self.transact(lambda connection: work(connection, sealed))

        async def work(connection: Connection, sealed: Sealed) -> Written:
            if block:
                await connection.execute(statement("keep"), block, prepare=True)
            if letters:
                await connection.execute(statement("bury"), letters, prepare=True)
            written = await write(connection, sealed, way_of(rows), kept=bool(raw))
            if replays:
                await note_replays(connection, replays, await repeated_places(written.cursor))
            return written

        # Fetched only now: within the transaction it would be a round trip of its own.
        written = await self.afresh(once)
        counts = await written.cursor.fetchone()
        assert counts is not None
        appended = int(counts["appended"])
        if places := counts["repeated"]:
            appended += await self.afresh(lambda: self._append_differing(rows, places, counts["block"], replays))
        return Appended(appended, len(rows) - appended, written.largest)

    async def _append_differing(
        self, all_rows: Sequence[Row], places: Sequence[int], block: int | None, replays: Sequence[Replayed]
    ) -> int:
        """Append those of the repeated events (at these places of the batch) that differ from the log; return how many."""
        rows = [all_rows[place] for place in places]
        sealed = await self._sealed(rows)
        differing = await self._differing(rows, sealed)
        if not differing:
            return 0
        again = sealed.only([one["place"] for one in differing])
        variants = [(one["variant"], one["joined"]) for one in differing]
        way = Way(linking=True, consents=way_of(rows).consents)

        async def work(connection: Connection) -> AsyncCursor[DictRow]:
            cursor = (await write(connection, again, way, block=block, variants=variants)).cursor
            if replays:
                repeated = await repeated_places(cursor)
                fresh = {places[one["place"]] for at, one in enumerate(differing) if at not in repeated}
                await note_replays(connection, replays, set(range(len(all_rows))) - fresh, differing=True)
            return cursor

        counts = await (await self.transact(work)).fetchone()
        assert counts is not None
        return int(counts["appended"])

    async def note_replays(self, replays: Sequence[Replayed]) -> None:
        """Record the outcomes of replayed records; their `events` are counted, and are appended already."""
        await self.transact(lambda connection: note_outcomes(connection, replays))

    async def transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in one transaction and one pipeline; repeat it if another transaction made it fail."""

        async def once() -> T:
            async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
                await connection.execute(statement("writing"), prepare=True)
                await become(connection)
                return await work(connection)

        return await repeated(once)

    async def afresh(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`, which seals and then writes in one transaction; repeat it if a handle was erased between the two. The handle is
        then made anew, with another key, and nothing ties it to the erased handle."""
        for attempt in range(1, TRIES + 1):
            try:
                return await work()
            except psycopg.OperationalError as error:
                if error.sqlstate != ERASED or attempt == TRIES:
                    raise
                self._known.clear()
                self._keys.recent.clear()  # they hold values under the erased key, even from a moment ago
        raise AssertionError("unreachable")

    async def write(self, connection: Connection, rows: Sequence[Row], sealed: Sealed) -> None:
        """Append and project events of our own within a transaction of `transact`. `sealed`: the events as they are stored, sealed
        before the transaction began. Repeated events are ignored."""
        if rows:
            await write(connection, sealed, way_of(rows))
