"""Services' own events (CloudEvents 1.0) from `events.reported`, into events."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from agents.inbound import of_account
from agents.outcome import Outcome, outcome_of
from app.sending.consent import learned
from schemas.cloudevents import read_cloudevent


def prepare(record: Any, most: int, accounts: Mapping[str, str] = MappingProxyType({})) -> Outcome:
    """The outcome of a record, whatever is in it; `accounts` as in `inbound.prepare`."""
    return outcome_of(record, partial(read, accounts=accounts), most)


def read(outcome: Outcome, accounts: Mapping[str, str]) -> None:
    """Read one. Raises SchemaError."""
    at = datetime.fromtimestamp(outcome.received, UTC)
    reported = read_cloudevent(outcome.record.value, at)
    event = of_account(reported.event, accounts)
    outcome.rows = [(each, reported.client_id, at, None) for each in (event, *learned(event))]
