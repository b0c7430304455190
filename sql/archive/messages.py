"""Finds in files of the archive which messages are of some handles, by whatever references events know them. Pure but for the files."""

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import ParquetFile

from sql.archive import Said
from sql.archive.parquet import READ
from sql.erased_parts import Told

_COLUMNS = (
    "client_id",
    "reference",
    "message_id",
    "id",
    "identity",
    "handle_kind",
    "handle_id",
    "provider_message_id",
    "occurred_at",
    "received_at",
)

#: Our ids of messages are ids here, which are compared with each other alone.
_OURS = UUID("7a1b0c4e-53a5-4a8e-9a49-3d0f8f4f3f10")


class Message(NamedTuple):
    """What the archive has of a message: its events, and what they say by reference."""

    told: list[Told]
    said: list[Said]


class Messages:
    """The messages of a client that have events of some handles, or are known by some references.

    Two references are of one message where they are tied as `pairs.sql` ties them: by our id of the message, or as versions of one
    event. Call `read` for all files, again and again, until none of them says anything new: events come in any order. Then `files`
    are those that have events of these messages.
    """

    def __init__(self, client: str, handles: Collection[UUID], references: Collection[UUID]) -> None:
        self._client = client
        self._handles = pa.array(sorted(map(str, handles)), pa.string())
        # By reference: its events, by their ids.
        self._events: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        # Nodes are references, ids of events, and our ids of messages after an "m". Each leads to another of the same message, or itself.
        self._towards: dict[str, str] = {str(each): str(each) for each in references}
        self.files: set[str] = set()

    def read(self, file: Path, name: str) -> bool:
        """Note what a file, which the archive has by this name, says; return whether something is known by that for which files have to
        be read again. Raises pyarrow.ArrowException and OSError for a damaged file."""
        before = len(self._towards)
        with ParquetFile(file) as opened:
            for batch in opened.iter_batches(READ, columns=list(_COLUMNS)):
                rows = pa.Table.from_batches([batch])
                rows = rows.filter(pc.and_(pc.equal(rows["client_id"], self._client), pc.is_valid(rows["reference"])))
                rows = rows.append_column("at", time_of(rows))
                known = -1
                while known != len(self._towards):
                    known = len(self._towards)
                    for row in rows.filter(self._chosen(rows)).to_pylist():
                        self._note(row)
                        self.files.add(name)
        return len(self._towards) > before

    def named(self) -> set[UUID]:
        """Return all handles that these messages name."""
        return {UUID(row["handle_id"]) for each in self._rows() for row in each if row["handle_id"] is not None}

    def found(self, living: Collection[UUID]) -> list[Message]:
        """Return the messages. `living`: handles that are not erased."""
        return [_message(number, rows, living) for number, rows in enumerate(self._rows())]

    def _rows(self) -> list[list[dict[str, Any]]]:
        messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for reference, events in self._events.items():
            messages[self._root(reference)].extend(events.values())
        return [*messages.values()]

    def _chosen(self, rows: pa.Table) -> Any:
        nodes = pa.array(self._towards, pa.string())
        ours = pc.binary_join_element_wise("m", rows["message_id"], "")
        chosen = pc.is_in(rows["handle_id"], self._handles)
        for column in (rows["reference"], rows["id"], rows["identity"], ours):
            chosen = pc.or_(chosen, pc.is_in(column, nodes))
        return chosen

    def _note(self, row: dict[str, Any]) -> None:
        reference = row["reference"]
        self._events[reference][row["id"]] = row
        self._tie(reference, row["identity"] or row["id"])
        if row["message_id"] is not None:
            self._tie(reference, f"m{row['message_id']}")

    def _tie(self, one: str, other: str) -> None:
        self._towards.setdefault(other, other)
        self._towards.setdefault(one, one)
        self._towards[self._root(other)] = self._root(one)

    def _root(self, node: str) -> str:
        while (following := self._towards[node]) != node:
            # Shortens the way for the next time.
            self._towards[node] = self._towards[following]
            node = following
        return node


def events_of(file: Path, client: str, references: Collection[UUID]) -> list[dict[str, Any]]:
    """Return the events of a file that have some references, as rows of the table. Raises as `Messages.read` does."""
    wanted, events = pa.array([str(each) for each in references], pa.string()), list[dict[str, Any]]()
    with ParquetFile(file) as opened:
        for batch in opened.iter_batches(READ):
            rows = pa.Table.from_batches([batch])
            chosen = pc.and_(pc.equal(rows["client_id"], client), pc.is_in(rows["reference"], wanted))
            events.extend(rows.filter(chosen).to_pylist())
    for event in events:
        event |= {name: json.loads(event[name]) for name in ("payload", "error") if event[name] is not None}
        event |= {name: value.isoformat() for name, value in event.items() if isinstance(value, datetime)}
    return events


def time_of(rows: pa.Table) -> Any:
    """Return when each event of a table happened: as the provider says, but not later than our receipt of it."""
    occurred, received = rows["occurred_at"], rows["received_at"]
    return pc.if_else(pc.fill_null(pc.less(occurred, received), False), occurred, received)


def _message(number: int, rows: list[dict[str, Any]], living: Collection[UUID]) -> Message:
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by[row["reference"]].append(row)
    said = [
        Said(UUID(reference), number, min(row["at"] for row in each), _least(each, True), _least(each, False))
        for reference, each in by.items()
    ]
    owner, began = _least(rows, True) or _least(rows, False), min(row["at"] for row in rows)
    return Message([_told(row, said[0].reference, owner, began, living) for row in rows], said)


def _told(row: dict[str, Any], message: UUID, owner: UUID | None, began: datetime, living: Collection[UUID]) -> Told:
    handle, ours = _uuid(row["handle_id"]), row["message_id"]
    return Told(
        interaction=message,
        owner=owner,
        began=began,
        event=UUID(row["id"]),
        identity=UUID(row["identity"] or row["id"]),
        reference=UUID(row["reference"]),
        handle=handle,
        living=handle in living,
        at=row["at"],
        ours=None if ours is None else uuid5(_OURS, ours),
        ties=ours is not None and row["provider_message_id"] is not None,
    )


def _least(rows: list[dict[str, Any]], users: bool) -> UUID | None:
    """Return the least handle that events name, of people that the client knows or of addresses."""
    named = (row["handle_id"] for row in rows if (row["handle_kind"] == "user_id") == users)
    return _uuid(min(filter(None, named), default=None))


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
