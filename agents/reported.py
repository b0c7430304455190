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
from schemas.chosen_ids import address_in
from schemas.cloudevents import DEFAULT_CLIENT, read_cloudevent


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
        outcome.source, outcome.client = _named_in(outcome.record.value)
        raise
    outcome.client = reported.client_id
    event = of_account(reported.event, accounts, jobs)
    outcome.rows = [(each, reported.client_id, at, None) for each in with_implied([event], "client_api")]


def _named_in(value: bytes) -> tuple[str | None, str | None]:
    """Return the source and the client that an invalid event names. The source is None if the event does not name one as a text,
    or if it has an address in it. The client is None if it is no text; if the event names none, it is the default client, as in a
    valid event."""
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None, None
    if not isinstance(document, dict):
        return None, None
    source, client = document.get("source"), document.get("clientid", DEFAULT_CLIENT)
    return (
        source[:255] if isinstance(source, str) and not address_in(source) else None,
        client if isinstance(client, str) and 0 < len(client) <= 255 and "\0" not in client else None,
    )
