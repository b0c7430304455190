"""Links and folds ranges of the log for a rebuild, and keeps how far each of its parts has come."""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from sql.relating import one, relate
from sql.statements import migrations, statement
from sql.writing import LINKING, LOWERING

#: Events linked or folded in one transaction, which must be short: readers of the log wait for the oldest running transaction.
CHUNK = 5_000
#: A place in the log: a transaction, and a position within it.
Place = tuple[int, int]
#: Called after each chunk with the kind of work ("tied", "linked" or "folded"), the number of events done, and the number of all.
Progress = Callable[[str, int, int], None]
_LAST = (1 << 63) - 1
END: Place = (_LAST, _LAST)
_STATEMENTS = (
    "rebuild_start",
    "rebuild_assign",
    "rebuild_tie",
    *LINKING,
    "relate_handles",
    "customer_changes_new",
    "cut_handles",
    "assign_customers",
    "customers_graph",
    "set_customers",
    "project_consents",
    *LOWERING,
)


class RebuildError(Exception):
    """The rebuild failed; the message says why. The live tables are unchanged."""


class Part(NamedTuple):
    """A part of a rebuild: its number, its place in its section of the log, the section's end, and the events that it has tied or
    folded."""

    number: int
    place: Place
    upto: Place
    events: int


class Parts(NamedTuple):
    """All parts of a rebuild: those that tie the ids of messages, and those that fold."""

    tying: list[Part]
    folding: list[Part]


def made_with() -> str:
    """Return a digest of the schema and of the statements that make the tables: a rebuild is continued only with the same ones."""
    texts = [name.encode() for name in migrations()] + [statement(name) for name in _STATEMENTS]
    return sha256(b"\0".join(texts)).hexdigest()


async def parts_of(connection: AsyncConnection[DictRow]) -> Parts | None:
    """Return the parts of the rebuild that is under way; None without one."""
    cursor = await connection.execute(statement("rebuild_progress"), {"made_with": made_with()})
    rows = await cursor.fetchall()
    parts = [Part(row["part"], (row["xid"], row["position"]), _upto(row), row["events"]) for row in rows]
    return (
        Parts([part for part in parts if part.number < 0], [part for part in parts if part.number > 0])
        if parts
        else None
    )


async def split(connection: AsyncConnection[DictRow], after: Place, parts: int) -> bool:
    """Give each part a section of what is settled in the log after a place; return whether there is anything."""
    span = span_of(after, ((await one(connection, "horizon"))["horizon"] - 1, _LAST))
    return bool((await one(connection, "rebuild_split", span | {"parts": parts}))["sections"])


async def tie(connection: AsyncConnection[DictRow], part: Part, note: Callable[[int], None]) -> None:
    """Link the messages of a section that have both ids, from its place on, chunk by chunk, except messages that would merge groups which
    are linked already. `note` gets the number of events of each chunk."""
    place = part.place
    while (span := await _span(connection, place, part.upto)) is not None:
        async with connection.transaction():
            await connection.execute(statement("rebuild_tie"), span)
            await _advance(connection, part, span)
        place = _upto(span)
        note(span["events"])


async def link_left(connection: AsyncConnection[DictRow], note: Callable[[int, int], None]) -> None:
    """Link the events that the parts have left out, range by range. `note` gets the number of events of each range, and of all that were left out."""
    while (span := await (await connection.execute(statement("rebuild_left"))).fetchone()) is not None:
        async with connection.transaction():
            await link(
                connection, span_of(_after(span), _upto(span)), linking=span["linking"], relating=span["relating"]
            )
            await connection.execute(statement("rebuild_linked"), span)
        note(span["events"], span["total"])


async def fold_section(connection: AsyncConnection[DictRow], part: Part, note: Callable[[int], None]) -> None:
    """Fold a linked section from its place on, chunk by chunk. `note` gets the number of events of each chunk."""
    place = part.place
    while (span := await _span(connection, place, part.upto)) is not None:
        async with connection.transaction():
            await fold(connection, span)
            await _advance(connection, part, span)
        place = _upto(span)
        note(span["events"])


async def link(
    connection: AsyncConnection[DictRow], span: dict[str, Any], *, linking: bool = True, relating: bool = True
) -> None:
    """Link the references, the handles, or both, that a range of the log connects."""
    for name in LINKING if linking else ():
        await connection.execute(statement(name), span)
    if relating:
        await relate(connection, span)


async def fold(connection: AsyncConnection[DictRow], span: dict[str, Any]) -> int:
    """Fold a linked range of the log; return how many events it has."""
    events = int((await one(connection, "project_consents", span))["events"])
    for name in LOWERING:
        await connection.execute(statement(name), span)
    return events


def span_of(after: Place, upto: Place) -> dict[str, Any]:
    """Return the parameters of a range of the log: after one place, up to and including another."""
    return {
        "after_xid": after[0],
        "after_position": after[1],
        "upto_xid": upto[0],
        "upto_position": upto[1],
        "since": datetime.min.replace(tzinfo=UTC),
    }


async def _span(connection: AsyncConnection[DictRow], after: Place, upto: Place) -> dict[str, Any] | None:
    """Return the range of the next CHUNK events, with their number (`events`); None if there is none."""
    cursor = await connection.execute(statement("rebuild_place"), span_of(after, upto) | {"chunk": CHUNK})
    row = await cursor.fetchone()
    return span_of(after, (row["xid"], row["position"])) | {"events": row["events"]} if row else None


async def _advance(connection: AsyncConnection[DictRow], part: Part, span: dict[str, Any]) -> None:
    cursor = await connection.execute(statement("rebuild_advance"), span | {"part": part.number})
    if await cursor.fetchone() is None:
        raise RebuildError("another process goes on with this rebuild")


def _after(span: dict[str, Any]) -> Place:
    return span["after_xid"], span["after_position"]


def _upto(span: dict[str, Any]) -> Place:
    return span["upto_xid"], span["upto_position"]
