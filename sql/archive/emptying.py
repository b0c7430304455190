"""Empties events in files of the archive, as the function `empty_events` of the database does with those of the log. Pure but for
the files."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetFile, ParquetWriter

from sql.archive.messages import time_of
from sql.archive.parquet import READ
from sql.holdings import Holding
from sql.relating import RELATING

#: The columns by which events are found, and those that become NULL.
_ASKED = ("id", "client_id", "reference", "type", "handle_id", "source_event_id", "occurred_at", "received_at")
_NULLED = ("provider_message_id", "message_id", "webhook_id", "webhook_block", "trace")
#: What stays of an opt-out or opt-in: what it rests on, and that it is about a provider's list alone.
_CONSENT = ("basis", "list", "unsubscribeGroup")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an erasure empties: events of a client with these `references`, and those of these handles, or of a handle in an interval,
    that belong to no interaction. Of interactions that others share: those that leave them (`parted`, which get the erasure's id as
    their reference), and those that stay in them without their words (`wordless`)."""

    erasure: UUID
    client: str
    references: Collection[UUID]
    handles: Collection[UUID]
    holdings: Sequence[Holding]
    parted: Collection[UUID] = ()
    wordless: Collection[UUID] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The events of a file that are wanted, and whose handles they have."""

    ids: list[UUID]
    handles: set[UUID]


def find(file: Path, wanted: Wanted) -> Found:
    """Return the events of a file that are to be emptied. Raises pyarrow.ArrowException and OSError for a damaged one."""
    found = Found([], set())
    chosen = _chooser(wanted)
    with ParquetFile(file) as opened:
        for batch in opened.iter_batches(READ, columns=list(_ASKED)):
            some = pa.Table.from_batches([batch])
            some = some.filter(chosen(some))
            found.ids.extend(UUID(id) for id in some["id"].to_pylist())
            found.handles.update(UUID(id) for id in some["handle_id"].to_pylist() if id is not None)
    return found


def rewrite(file: Path, into: Path, wanted: Wanted, living: Collection[UUID]) -> None:
    """Write a file anew with the wanted events emptied. `living`: handles whose keys stay. Raises as `find` does."""
    chosen, alive = _chooser(wanted), pa.array([str(id) for id in living], pa.string())
    with ParquetFile(file) as opened, ParquetWriter(into, opened.schema_arrow, compression="zstd") as writer:
        for batch in opened.iter_batches(READ):
            rows = pa.Table.from_batches([batch])
            mask = chosen(rows)
            writer.write_table(_emptied(rows, mask, alive, wanted) if pc.any(mask).as_py() else rows)


def _chooser(wanted: Wanted) -> Any:
    """Return a function that gives for each row of a table whether it is wanted."""
    references = pa.array([str(id) for id in wanted.references], pa.string())
    handles = pa.array([str(id) for id in wanted.handles], pa.string())
    parts = pa.array([str(id) for id in (*wanted.parted, *wanted.wordless)], pa.string())

    def choose(rows: pa.Table) -> Any:
        at = time_of(rows)
        theirs = pc.is_in(rows["handle_id"], handles)
        for each in wanted.holdings:
            within = pc.and_(pc.equal(rows["handle_id"], str(each.handle)), pc.less(at, pa.scalar(each.until, at.type)))
            if each.since is not None:
                within = pc.and_(within, pc.greater_equal(at, pa.scalar(each.since, at.type)))
            theirs = pc.or_(theirs, pc.fill_null(within, False))
        alone = pc.and_(pc.is_null(rows["reference"]), pc.invert(pc.is_in(rows["type"], pa.array(sorted(RELATING)))))
        named = pc.or_(pc.is_in(rows["reference"], references), pc.and_(alone, theirs))
        named = pc.or_(named, pc.is_in(rows["id"], parts))
        fresh = pc.not_equal(rows["source_event_id"], _marks(rows))
        return pc.and_(pc.and_(pc.equal(rows["client_id"], wanted.client), named), fresh)

    return choose


def _marks(rows: pa.Table) -> Any:
    return pc.binary_join_element_wise("erased", rows["id"], " ")


def _emptied(rows: pa.Table, mask: Any, alive: Any, wanted: Wanted) -> pa.Table:
    """Return the rows with those of the mask emptied."""
    living = pc.is_in(rows["handle_id"], alive)
    # An opt-out or opt-in is the address's, which stays: consents are made from it.
    consent = pc.and_(living, pc.starts_with(rows["type"], "Recipient"))
    leaves = pc.and_(mask, pc.and_(living, pc.invert(consent)))
    parted = pc.is_in(rows["id"], pa.array([str(id) for id in wanted.parted], pa.string()))
    made: dict[str, Any] = {
        "reference": pc.if_else(parted, str(wanted.erasure), rows["reference"]),
        "source_event_id": pc.if_else(mask, _marks(rows), rows["source_event_id"]),
        "payload": _texts(rows["payload"], mask, consent, _payload),
        "error": _texts(rows["error"], mask, consent, _error),
    }
    made |= {name: pc.if_else(mask, pa.scalar(None, rows[name].type), rows[name]) for name in _NULLED}
    made |= {
        name: pc.if_else(leaves, pa.scalar(None, rows[name].type), rows[name]) for name in ("handle_id", "handle_kind")
    }
    for name, column in made.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(name), column)
    return rows


def _texts(column: Any, mask: Any, consent: Any, change: Any) -> Any:
    """Return a column of JSON with the texts of the mask changed."""
    texts = [
        change(text, kept) if wanted else text
        for text, wanted, kept in zip(column.to_pylist(), mask.to_pylist(), consent.to_pylist(), strict=True)
    ]
    return pa.chunked_array([pa.array(texts, column.type)])


def _payload(text: str, consent: bool) -> str:
    payload = json.loads(text) if consent else {}
    return json.dumps({name: payload[name] for name in _CONSENT if name in payload}, ensure_ascii=False)


def _error(text: str | None, _: bool) -> str | None:
    return None if text is None else json.dumps({"reason": json.loads(text).get("reason")}, ensure_ascii=False)
