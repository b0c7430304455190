"""Writes sealed events within a transaction: appends them, and projects the new ones onto the interactions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from sql.parameters import events_of, json
from sql.pool import Connection
from sql.relating import CONSENTS, RELATING, relate
from sql.rows import Row
from sql.sealed import Sealed
from sql.statements import statement

_END = (1 << 63) - 1
#: The statements that link a range of the log, and those for opt-outs and opt-ins that were reported again, in order.
LINKING = ("link", "supersede", "move", "clear")
LOWERING = ("consents_lock", "consents_lowered")


class Written(NamedTuple):
    """The cursor whose row will have the number of events `appended`; and how many handles the largest of the changed customers has."""

    cursor: AsyncCursor[DictRow]
    largest: int


class Way(NamedTuple):
    """How a batch is written: whether an event of it is `linking` (it has both the provider's id and our id of a message, or relates
    handles), and whether it has `consents` (opt-outs or opt-ins). A batch without these does not run the statements for them."""

    linking: bool
    consents: bool


def way_of(rows: Sequence[Row]) -> Way:
    """Return how a batch is written."""
    linking = any(
        row[0].type in RELATING
        or (
            row[0].provider_message_id is not None
            and (row[0].message_id is not None or row[0].echoed_message_id is not None)
        )
        for row in rows
    )
    return Way(linking, any(row[0].type in CONSENTS for row in rows))


async def write(
    connection: Connection,
    sealed: Sealed,
    way: Way,
    *,
    kept: bool = False,
    block: int | None = None,
    variants: Sequence[tuple[str, bool]] = (),
) -> Written:
    """Append and project events. `kept`: this transaction stored their raw records; else `block` is the block that holds them. `variants`:
    given if these are repeated events that differ; it tells them apart from the first versions."""
    cursor = connection.cursor(binary=True)
    events = json(events_of(sealed.records, variants))
    parameters: dict[str, Any] = {"events": events, "handles": sealed.handles, "kept": kept, "block": block}
    name = "record" if way.linking else "append_consents" if way.consents else "append"
    await cursor.execute(statement(name), parameters, prepare=True)
    largest = 0
    if way.linking:
        recorded = await cursor.fetchone()
        assert recorded is not None
        largest = await _project(connection, recorded, bool(variants), way.consents)
        await cursor.scroll(-1)
    return Written(cursor, largest)


async def _project(connection: Connection, recorded: dict[str, Any], varied: bool, consents: bool) -> int:
    """Link the references that the events of this transaction connect, then fold the events, then join the handles that they link. Return
    how many handles the largest of the changed customers has."""
    if not recorded["appended"]:
        return 0
    xid = recorded["xid"]
    span = {
        "after_xid": xid,
        "after_position": 0,
        "upto_xid": xid,
        "upto_position": _END,
        "since": recorded["recorded_at"],
    }
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
    await connection.execute(statement("project_consents" if consents else "project"), span, prepare=True)
    for name in LOWERING if varied and consents else ():
        await connection.execute(statement(name), span, prepare=True)
    return await relate(connection, span) if recorded["relating"] else 0
