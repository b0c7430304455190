"""Removes interactions whose client keeps those of their channel for so many days only, and empties their events, in small steps.

A step is a transaction: it locks and removes interactions, then empties the events that these were made of, in a second statement,
which sees what was appended until they were locked. Who appends to one of them meanwhile waits, and makes an interaction anew that
the events agree with. So a killed removal leaves nothing half done, and a rebuild gives what is there.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sql.errors import REPEAT
from sql.pool import Connection
from sql.statements import statement

#: Most interactions that one statement removes: those who link messages of the client wait meanwhile.
STEP = 200
#: Tries of a step that failed because of another transaction; then the error is raised.
TRIES = 5


async def remove_by_channel(
    connection: Connection, removed: Callable[[str, int], None], step: int = STEP, pause: float = 0.0
) -> None:
    """Remove what is due of all channels, at most `step` of one in each transaction, with `pause` seconds between two. `removed` gets
    a table and how many of its rows were removed; for `events`, how many were emptied."""
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
    """Do a step, again if another transaction made it fail."""
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
    """Remove some interactions, and empty some events that belong to none. Return the rows by table, and how many the latter are."""

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
