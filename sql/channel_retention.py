"""Removes interactions whose client keeps their channel's interactions for some days only, and empties their events, in small steps.

A step is a transaction. It locks and removes interactions. A second statement then empties the events of which these were made; it
sees everything that was appended until the lock. A process that appends to one of them meanwhile waits, and then makes a new
interaction that agrees with the events. So a killed removal leaves nothing half done, and a rebuild gives the same rows.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sql.errors import REPEAT
from sql.pool import Connection
from sql.statements import statement

#: Most interactions that one statement removes: processes that link messages of the client wait meanwhile.
STEP = 200
#: Tries of a step that failed because of another transaction; then the error is raised.
TRIES = 5


async def remove_by_channel(
    connection: Connection, removed: Callable[[str, int], None], step: int = STEP, pause: float = 0.0
) -> None:
    """Remove the interactions that are due, of all channels: at most `step` of one channel in each transaction, with `pause` seconds
    between two. `removed` gets a table and how many of its rows were removed; for `events`, how many were emptied."""
    for due in await (await connection.execute(statement("expiring_channels"), {"most": 1})).fetchall():
        given = {"client_id": due["client_id"], "channel": due["channel"], "limit": min(step, STEP)}
        while due["due"]:
            interactions, events = await _again(connection, given, removed)
            if interactions < given["limit"] and events < given["limit"]:
                break
            await asyncio.sleep(pause)


async def _again(
    connection: Connection, given: Mapping[str, Any], removed: Callable[[str, int], None]
) -> tuple[int, int]:
    """Do a step; repeat it if another transaction made it fail."""
    for attempt in range(1, TRIES + 1):
        try:
            counts, apart = await _step(connection, given)
        except REPEAT:
            if attempt == TRIES:
                raise
            await asyncio.sleep(0.01 * attempt)
        else:
            for table, rows in counts.items():
                if rows:
                    removed(table, rows)
            return counts["interactions"], apart
    raise AssertionError("unreachable")


async def _step(connection: Connection, given: Mapping[str, Any]) -> tuple[dict[str, int], int]:
    """Remove some interactions, and empty some events that belong to none. Return the removed rows by table, and the number of these events."""

    async def run(name: str, **more: Any) -> dict[str, Any]:
        row = await (await connection.execute(statement(name), {**given, **more}, prepare=True)).fetchone()
        assert row is not None
        return row

    async with connection.transaction():
        await run("linking_lock")
        counts = await run("remove_interactions")
        references = counts.pop("references")
        emptied = (await run("empty_expired", references=references))["events"] if references else 0
        apart = (await run("empty_apart"))["events"]
    return counts | {"events": emptied + apart}, apart
