"""Rebuilds interactions, links, handles, customers and consents from the log in tables beside the live ones, then swaps them."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from sql.append import LINKING, relate
from sql.statements import statement

#: Events folded in one transaction, which must be short: readers of the log wait for the oldest running transaction.
CHUNK = 5_000
#: Tries to get the lock for the swap, each within the lock timeout of `rebuild_session`, and seconds between them, in
#: which transactions that waited behind us can run.
TRIES, PAUSE = 20, 2.0
_END = (1 << 63) - 1

Progress = Callable[[int, int], None]


class RebuildError(Exception):
    """The rebuild failed; the message says why. The live tables are unchanged."""


async def rebuild(owner_dsn: str, progress: Progress = lambda done, total: None) -> int:
    """Rebuild the projections; return how many events were folded. `progress(done, total)` is called after each chunk.

    Events may be appended meanwhile; writers wait only at the end, while the last events are folded and the tables
    swapped. A killed rebuild leaves the live tables unchanged, and the next one starts from the beginning. Raises
    RebuildError if another rebuild runs, or if the lock for the swap is not available.
    """
    connect = AsyncConnection[DictRow].connect(owner_dsn, autocommit=True, row_factory=dict_row)
    async with await connect as connection:
        if not (await _one(connection, "rebuild_lock"))["mine"]:
            raise RebuildError("another rebuild (or a migration) of this database is under way")
        await connection.execute(statement("rebuild_session"))
        await connection.execute(statement("rebuild_start"))
        await connection.execute(statement("rebuild_assign"))
        total = (await _one(connection, "rebuild_total"))["total"]
        done, place = await _fold_settled(connection, (0, 0), 0, total, progress)
        await connection.execute(statement("rebuild_analyze"))
        for attempt in range(1, TRIES + 1):
            try:
                async with connection.transaction():
                    await connection.execute(statement("rebuild_close"))
                    await connection.execute(statement("rebuild_assign"))
                    last = await _fold(connection, place, (_END, _END))
                    await connection.execute(statement("rebuild_erase"))
                    await connection.execute(statement("rebuild_swap"))
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if attempt == TRIES:
                    raise RebuildError(
                        "the tables are in use all the time: the lock to swap them was not available"
                    ) from error
                await asyncio.sleep(PAUSE)
                done, place = await _fold_settled(connection, place, done, total, progress)
            else:
                progress(done + last, max(total, done + last))
                return done + last
    raise AssertionError("unreachable")


Place = tuple[int, int]


async def _fold_settled(
    connection: AsyncConnection[DictRow], place: Place, done: int, total: int, progress: Progress
) -> tuple[int, Place]:
    """Fold events up to the horizon, chunk by chunk, until the last chunk is not full; return their number and the
    place."""
    while True:
        horizon = (await _one(connection, "horizon"))["horizon"]
        at = {"xid": place[0], "position": place[1], "horizon": horizon, "chunk": CHUNK}
        row = await (await connection.execute(statement("rebuild_place"), at)).fetchone()
        if row is None:
            return done, place
        upto = (row["xid"], row["position"])
        async with connection.transaction():
            folded = await _fold(connection, place, upto)
        done, place = done + folded, upto
        progress(done, max(total, done))
        if folded < CHUNK:
            return done, place


async def _fold(connection: AsyncConnection[DictRow], after: Place, upto: Place) -> int:
    """Link and fold one range of the log; return how many events it has."""
    span: dict[str, Any] = {
        "after_xid": after[0],
        "after_position": after[1],
        "upto_xid": upto[0],
        "upto_position": upto[1],
    }
    if (await _one(connection, "linking", span))["linking"]:
        for name in LINKING:
            await connection.execute(statement(name), span)
    folded = await _one(connection, "project", span)
    if (await _one(connection, "relating", span))["relating"]:
        await relate(connection, span)
    return int(folded["events"])


async def _one(connection: AsyncConnection[DictRow], name: str, parameters: dict[str, Any] | None = None) -> DictRow:
    row = await (await connection.execute(statement(name), parameters)).fetchone()
    assert row is not None
    return row
