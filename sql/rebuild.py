"""Rebuilds interactions, links, handles, customers and consents from the log in tables beside the live ones, then swaps them.

The log is cut into as many sections as there are processes. First each process ties the two ids of the messages in its section; then
one process links the remaining events, which merge interactions. From then on the interaction of an event does not change, and the
processes fold their sections side by side. An interaction may have events in two sections, since the fold is a join. Each process's place
is stored in the transaction that moves it, so that a killed rebuild goes on from there. Nothing is linked while events are folded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from sql.folding import (
    CHUNK,
    END,
    Part,
    Parts,
    Progress,
    RebuildError,
    fold,
    fold_section,
    link,
    link_left,
    made_with,
    parts_of,
    span_of,
    split,
    tie,
)
from sql.relating import one
from sql.statements import statement

__all__ = ["MonthsMissing", "Progress", "RebuildError", "rebuild"]

#: Tries to get the lock for the swap; the lock timeout of each try; and the seconds between two tries, in which transactions that
#: waited behind this one can run.
TRIES, PATIENCE, PAUSE = 20, "2s", 2.0


class MonthsMissing(RebuildError):
    """Some `months` of the log are only in the archive."""

    def __init__(self, months: Sequence[date]) -> None:
        super().__init__(f"archived months must be restored first: {', '.join(f'{month:%Y-%m}' for month in months)}")
        self.months = months


async def rebuild(owner_dsn: str, progress: Progress = lambda what, done, total: None, processes: int = 1) -> int:
    """Rebuild the projections with this many processes of the database; return how many events were folded. `progress` is called
    after each chunk.

    Events may be appended meanwhile; writers wait only at the end, while the last events are folded and the tables
    swapped. A killed rebuild leaves the live tables unchanged; the next rebuild goes on from there, with the same number of parts, or
    begins anew if the schema or the statements have changed. Raises MonthsMissing if some months of the log are only in the archive, and
    RebuildError if another rebuild or archive runs, if an erasure is dividing shared interactions, or if the lock for the swap is not
    available.
    """
    async with await _connect(owner_dsn, PATIENCE) as connection:
        if not (await one(connection, "rebuild_lock"))["mine"]:
            raise RebuildError("another rebuild (or a migration, or an archive) of this database is under way")
        if (await one(connection, "rebuild_parting"))["parting"]:
            raise RebuildError("an erasure is taking interactions apart: try again when it has ended")
        months = await (await connection.execute(statement("archive_months"), {"after_months": 0})).fetchall()
        if missing := [row["month"] for row in months if row["name"] is None]:
            raise MonthsMissing(missing)
        try:
            await _begin(connection, processes)
        except psycopg.errors.LockNotAvailable as error:
            raise RebuildError("what a killed rebuild has left is still running: try again in a moment") from error
        total = (await one(connection, "rebuild_total"))["total"]
        for attempt in range(1, TRIES + 1):
            done = await _settle(connection, owner_dsn, processes, total, progress)
            if attempt == 1:
                await connection.execute(statement("rebuild_analyze"))
            try:
                done += await _close(connection)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if attempt == TRIES:
                    raise RebuildError(
                        "the tables are in use all the time: the lock to swap them was not available"
                    ) from error
                await asyncio.sleep(PAUSE)
            else:
                progress("folded", done, max(total, done))
                return done
    raise AssertionError("unreachable")


async def _connect(owner_dsn: str, lock_timeout: str) -> AsyncConnection[DictRow]:
    """Return a connection that writes the tables beside the live ones."""
    connection = await AsyncConnection[DictRow].connect(owner_dsn, autocommit=True, row_factory=dict_row)
    await connection.execute(statement("rebuild_session"), {"lock_timeout": lock_timeout})
    return connection


async def _begin(connection: AsyncConnection[DictRow], processes: int) -> None:
    """Make empty tables and as many parts as processes, unless a rebuild of the same version was killed."""
    if await parts_of(connection) is None:
        async with connection.transaction():
            await connection.execute(statement("rebuild_start"))
            await connection.execute(statement("rebuild_parts"), {"parts": processes, "made_with": made_with()})
            await connection.execute(statement("rebuild_assign"))


async def _settle(
    connection: AsyncConnection[DictRow], owner_dsn: str, processes: int, total: int, progress: Progress
) -> int:
    """Link and fold all settled events of the log, round by round until a round is short; return how many events are folded by now."""
    while True:
        parts = await _parts(connection)
        end = max(part.upto for part in parts.folding)
        if all(part.place == part.upto for part in parts.folding):
            if not await split(connection, end, len(parts.folding)):
                return sum(part.events for part in parts.folding)
            parts = await _parts(connection)
        before = sum(part.events for part in parts.tying)
        await _beside(owner_dsn, tie, parts.tying, processes, _counted("tied", before, total, progress))
        await link_left(connection, lambda events, left: progress("linked", events, left))
        before = sum(part.events for part in parts.folding)
        await _beside(owner_dsn, fold_section, parts.folding, processes, _counted("folded", before, total, progress))
        done = sum(part.events for part in (await _parts(connection)).folding)
        if done - before < CHUNK:
            return done


async def _beside(
    owner_dsn: str,
    step: Callable[[AsyncConnection[DictRow], Part, Callable[[int], None]], Awaitable[None]],
    parts: Sequence[Part],
    processes: int,
    note: Callable[[int], None],
) -> None:
    """Bring all parts to the ends of their sections, a given number at a time, each by a process of the database. The first error ends all."""
    turns = asyncio.Semaphore(processes)

    async def work(part: Part) -> None:
        async with turns, await _connect(owner_dsn, "0") as connection:
            await step(connection, part, note)

    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(work(part))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _close(connection: AsyncConnection[DictRow]) -> int:
    """Lock out writers, fold the last events, and swap the tables; return how many events were folded here."""
    last = span_of(max(part.upto for part in (await _parts(connection)).folding), END)
    async with connection.transaction():
        await connection.execute(statement("rebuild_close"))
        await connection.execute(statement("rebuild_assign"))
        await link(connection, last)
        folded = await fold(connection, last)
        await connection.execute(statement("rebuild_erase"))
        await connection.execute(statement("rebuild_swap"))
    return folded


async def _parts(connection: AsyncConnection[DictRow]) -> Parts:
    found = await parts_of(connection)
    if found is None:
        raise RebuildError("another process has ended this rebuild")
    return found


def _counted(what: str, done: int, total: int, progress: Progress) -> Callable[[int], None]:
    """Return a function that adds up the chunks for `progress`."""

    def note(events: int) -> None:
        nonlocal done
        done += events
        progress(what, done, max(total, done))

    return note
