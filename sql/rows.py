"""What the store is given, and what it answers to an append."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.events import Event

#: An event as it is appended: the event, its client id, when it came to our door (aware), and the id of the webhook it
#: came in (a uuid, or None). A tuple, because that is the quickest to make.
Row = tuple[Event, str, datetime, str | None]


@dataclass(slots=True)
class DeadLetter:
    """What could not be processed: the Kafka record it came in, its place in that (`ordinal`), and why.

    Topic, partition, offset and ordinal are its identity: the same letter again changes nothing. `detail` is any JSON.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    ordinal: int = 0
    webhook_id: str | None = None
    source: str | None = None
    detail: Any = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """How many events of a batch were new, and how many the log had already."""

    appended: int
    duplicates: int
