"""Reads services' own events (CloudEvents 1.0) from `events.reported`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson

from agents.inbound import Jobs, of_account
from agents.records.outcome import RecordOutcome, outcome_of
from app.implied import with_implied
from schemas import SchemaError
from schemas.cloudevents import read_cloudevent


def prepare(
    record: Any,
    most: int,
    accounts: Mapping[str, str] = MappingProxyType({}),
    jobs: Jobs = MappingProxyType({}),
) -> RecordOutcome:
    """Return the outcome of a record. `accounts` and `jobs` are as in `inbound.prepare`."""
    return outcome_of(record, partial(read, accounts=accounts, jobs=jobs), most)


def read(outcome: RecordOutcome, accounts: Mapping[str, str], jobs: Jobs) -> None:
    """Read an event into the outcome. Raises SchemaError."""
    at = datetime.fromtimestamp(outcome.received, UTC)
    try:
        reported = read_cloudevent(outcome.record.value, at)
    except SchemaError:
        outcome.source = _source_in(outcome.record.value)
        raise
    event = of_account(reported.event, accounts, jobs)
    outcome.rows = [(each, reported.client_id, at, None) for each in with_implied([event])]


def _source_in(value: bytes) -> str | None:
    """Return the source that an invalid event names, or None."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    source = document.get("source") if isinstance(document, dict) else None
    return source[:255] if isinstance(source, str) else None
