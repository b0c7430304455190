"""Defines what `append` takes and returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.events import Event

#: An event to append: the event, its client id, when we received it (aware), and the id of the webhook that brought it
#: (a uuid, or None). A tuple, because that is the fastest to create.
Row = tuple[Event, str, datetime, str | None]


class Bad(NamedTuple):
    """An item of a record that could not be processed: its place, the reason, and the item itself, any JSON (or
    None)."""

    ordinal: int
    reason: str
    detail: Any = None


@dataclass(slots=True)
class DeadLetter:
    """A Kafka record that could not be processed, wholly or in part, with the reason; one for each record.

    Topic, partition and offset identify it: adding it again changes nothing. If single items of the record failed,
    `items` are the first of them and `bad` is their number; `detail` is any JSON about the whole record. `value` is the
    record's value (None: it had none, or it is too large to store), `size` its length in bytes, `digest` its SHA-256.
    `client` is the client that the record names (None: it could not be read), `shape` the form of its body, `replay_of`
    the id of the dead letter whose replay it was.
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
    client: str | None = None
    shape: str | None = None
    replay_of: str | None = None


@dataclass(slots=True)
class Replayed:
    """A record that is the replay of a dead letter: the dead letter's `id`, which of its replays it is (`number`), and the
    digest of the record. `dead`: the new dead letter that the record became, if it failed again; `events`: the number of events that it
    made in earlier transactions; `rows`: how many rows of the call are its own, which follow `first`."""

    id: str
    number: int
    digest: bytes
    dead: DeadLetter | None = None
    events: int = 0
    first: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Appended:
    """The numbers of new and of repeated events in a batch, and how many handles the largest of the changed customers has (0: no customer
    changed)."""

    appended: int
    duplicates: int
    largest: int = 0
