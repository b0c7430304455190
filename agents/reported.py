"""Services' own events (CloudEvents 1.0) from `events.reported`, into events."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import structlog

from agents.batches import timestamp_of
from agents.inbound import of_account
from agents.pipeline import Entry, letter_of
from agents.tracing import process
from app.sending.consent import learned
from schemas import SchemaError
from schemas.cloudevents import read_cloudevent

log = structlog.get_logger(__name__)


def prepare(records: Sequence[Any], accounts: Mapping[str, str] = MappingProxyType({})) -> list[Entry]:
    """One entry a record, whatever is in it; `accounts` as in `inbound.prepare`."""
    return [_entry(record, accounts) for record in records]


def _entry(record: Any, accounts: Mapping[str, str]) -> Entry:
    received = timestamp_of(record)
    entry = Entry(record, received, span=process(record))
    at = datetime.fromtimestamp(received, UTC)
    try:
        reported = read_cloudevent(record.value or b"", at)
    except SchemaError as error:
        entry.dead.append(letter_of(record, str(error), detail={"path": error.path}))
    except Exception as error:  # a fault of ours must not stop the partition
        log.exception("cannot read a reported event", offset=record.offset, partition=record.partition)
        entry.dead.append(letter_of(record, f"reading failed: {type(error).__name__}: {error}"))
    else:
        event = of_account(reported.event, accounts)
        entry.rows = [(each, reported.client_id, at, None) for each in (event, *learned(event))]
    return entry
