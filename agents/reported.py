"""Services' own events (CloudEvents 1.0) from `events.reported`, into events."""

from datetime import UTC, datetime
from typing import Any

from agents.outcome import Outcome, outcome_of
from app.sending.consent import learned
from schemas.cloudevents import read_cloudevent


def prepare(record: Any, most: int) -> Outcome:
    """The outcome of a record, whatever is in it."""
    return outcome_of(record, read, most)


def read(outcome: Outcome) -> None:
    """Read one. Raises SchemaError."""
    at = datetime.fromtimestamp(outcome.received, UTC)
    reported = read_cloudevent(outcome.record.value, at)
    outcome.rows = [(each, reported.client_id, at, None) for each in (reported.event, *learned(reported.event))]
