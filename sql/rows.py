"""What the store is given, and what it answers to an append."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.events import Event

#: An event as it is appended: the event, its client id, when it came to our door (aware), and the id of the webhook it
#: came in (a uuid, or None). A tuple, because that is the quickest to make.
Row = tuple[Event, str, datetime, str | None]


class Bad(NamedTuple):
    """One item of a record that could not be processed: which, why, and the item itself, any JSON (or None)."""

    ordinal: int
    reason: str
    detail: Any = None


@dataclass(slots=True)
class DeadLetter:
    """A Kafka record that could not be processed, or not all of it, and why: one a record.

    Topic, partition and offset are its identity: the same letter again changes nothing. Of a record whose items failed one
    by one, `items` are the first of them and `bad` says how many there were; `detail` is any JSON about the whole.
    `value` is the record's (None: it had none, or is too large to be kept), `size` its bytes, `digest` its SHA-256.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    webhook_id: str | None = None
    source: str | None = None
    detail: Any = None
    bad: int = 1
    items: Sequence[Bad] = ()
    value: bytes | None = None
    size: int = 0
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """How many events of a batch were new, and how many the log had already."""

    appended: int
    duplicates: int
