"""Recognises the records that are replays of dead letters: the Kafka header `dead-letter` names the dead letter and the number
of its replay. The header is believed only if the record is the dead letter's, byte for byte (`replay_outcomes.sql`)."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sql import Replayed

if TYPE_CHECKING:
    from agents.records.outcome import RecordOutcome

HEADER = "dead-letter"
#: Bytes of the header: a UUID, a slash and a number. The number must fit PostgreSQL's `integer`: a larger one would fail the
#: transaction of the whole batch, again and again.
_DIGITS = 9
_LONGEST = 36 + 1 + _DIGITS


def header_of(id: UUID, number: int) -> tuple[str, bytes]:
    """Return the header of a dead letter's replay."""
    return HEADER, f"{id}/{number}".encode()


def replay_of(record: Any) -> Replayed | None:
    """Return which replay a record is; None if it is no replay, or if its header is not valid."""
    for name, value in record.headers or ():
        if name == HEADER and isinstance(value, bytes) and len(value) <= _LONGEST:
            id, _, number = value.decode("ascii", "replace").partition("/")
            try:
                found = str(UUID(id))
            except ValueError:
                return None
            if not number.isdecimal() or len(number) > _DIGITS or not isinstance(record.value, bytes):
                return None
            return Replayed(found, int(number), sha256(record.value).digest())
    return None


def replays_of(outcomes: Sequence["RecordOutcome"]) -> list[Replayed]:
    """Return the replays among outcomes that are stored together, each with the places of its rows and its dead letter."""
    found: list[Replayed] = []
    first = 0
    for outcome in outcomes:
        rows = len(outcome.rows)
        if outcome.replay is not None:
            found.append(replace(outcome.replay, first=first, rows=rows, dead=outcome.letter))
        first += rows
    return found
