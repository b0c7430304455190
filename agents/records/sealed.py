"""Decrypts ("opens") sealed records before they are read: one query fetches the keys of a batch, and each record is opened in its turn.

A record that cannot be opened is marked as such, and becomes a dead letter with that reason. If its key was destroyed, the dead letter
has no value; else it has the value as it came, so that it can be replayed once the table has its key again. The partition goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.batches import timestamp_of
from agents.failures import until_done
from agents.health import WorkerHealth
from sql import EventStore
from sql.sealed_records import Destroyed, Unopenable, is_sealed
from sql.sealing import NoKey, Tampered


@dataclass(slots=True)
class Unopened:
    """A record that cannot be opened, for the reason in `unread`, with the attributes of Kafka's records; `timestamp` is in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: float
    headers: Any
    value: bytes | None
    unread: str


async def take_keys(records: Sequence[Any], store: EventStore, health: WorkerHealth) -> None:
    """Fetch the keys that these records need. Retries while the database is away, or the settings lack the key that decrypts one of them."""
    if store.hours.unknown(record.value for record in records):
        await until_done("keys", lambda: store.keys_for([record.value for record in records]), health)


def opened(record: Any, store: EventStore) -> Any:
    """Return the record with its value opened, or marked as one that cannot be opened. A record that is not sealed stays as it is."""
    value = record.value
    if value is None or not is_sealed(value):
        return record
    try:
        record.value = store.hours.open(value, record.topic.encode())
    except (
        Unopenable,
        Tampered,
        NoKey,
    ) as error:  # NoKey: the record carries its own key, and anyone can write such a record
        kept = None if isinstance(error, Destroyed) else value
        at = timestamp_of(record) * 1000
        return Unopened(
            record.topic, record.partition, record.offset, at, record.headers, kept, f"cannot be opened: {error}"
        )
    return record
