"""Turns any Kafka record into its outcome: events, a dead letter, or both, within a budget.

`Making` is total: no content of a record makes it raise, and its result can be stored and published. The budget is that of
`agents.records.budget`, and the deadline's seconds of processor time. A record that exceeds it becomes a dead letter and makes
no events, since a part of its events would look complete.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from opentelemetry.trace import Span

from adapters.contract import Once
from agents.batches import timestamp_of
from agents.health import place_of
from agents.process import tracing
from agents.records.budget import MOST_COUNTED, fit
from agents.records.deadline import DEADLINE, Deadline, TooCostly
from agents.records.letters import REASON, letter_of, size_of
from agents.records.replays import replay_of
from agents.records.storable import Refused
from app.sending.requests import Request
from schemas import SchemaError
from schemas.events import Error
from schemas.faults import line
from sql import Bad, DeadLetter, Replayed, Row
from webhooks.spans import traceparent_of

log = structlog.get_logger(__name__)

#: A record's timestamp that is before the first of these, or further ahead of now than the second (seconds), comes from a
#: wrong clock.
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_AHEAD = 24 * 3600.0


@dataclass(slots=True)
class RecordOutcome:
    """The outcome of one Kafka record: the raw bytes to keep (or None), its events (`rows`), its bad
    items and its dead letter. A send request gives `request`, or `refused` with the error. `received` is in Unix seconds;
    `size` is the number of bytes to store."""

    record: Any
    received: float = 0.0
    raw: bytes | None = None
    rows: list[Row] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    letter: DeadLetter | None = None
    span: Span | None = None
    source: str | None = None
    webhook_id: str | None = None
    #: The client that the record names.
    client: str | None = None
    #: Which replay the record is, if it is the replay of a dead letter.
    replay: Replayed | None = None
    request: Request | None = None
    refused: tuple[Request, Error] | None = None
    #: For a webhook whose signature covers only a token: its source and the token.
    once: tuple[str, Once] | None = None
    size: int = 0
    #: Bytes of a body that is kept apart from the record, as far as they count for the budget.
    apart: int = 0
    #: The name of that body; and whether the body and the raw record are not to be kept (`agents.records.withheld`).
    blob: str | None = None
    withheld: bool = False

    def refuse(self, reason: str, detail: Any = None, *, bad: bool = False) -> None:
        """Set the dead letter, for the whole record or (`bad`) for its bad items. Replaces an earlier one."""
        self.letter = letter_of(
            self.record, reason, self.bad if bad else (), detail=detail, source=self.source, webhook_id=self.webhook_id,
            client=self.client, replay=self.replay,
        )  # fmt: skip

    def drop(self) -> None:
        """Remove all events."""
        self.rows, self.bad, self.request, self.refused = [], [], None, None


#: Reads a record into its outcome, at once, or in steps: then it returns a generator, which is resumed for each step. May raise anything.
Read = Callable[[RecordOutcome], Iterator[None] | None]


class Making:
    """The outcome of a record, which is made in steps, so that other records can take their steps in between (`advance`): code that
    runs for many records one after another stays in the processor's caches."""

    __slots__ = ("_deadline", "_spent", "_steps", "outcome")

    def __init__(self, record: Any, read: Read, most: int, deadline: Deadline = DEADLINE, apart: int = 0) -> None:
        """Take a record, which may have at most `most` bytes, and `apart` bytes of a body that is kept apart."""
        self.outcome = RecordOutcome(record, apart=min(apart, MOST_COUNTED))
        self._steps, self._deadline, self._spent = _make(self.outcome, read, most), deadline, 0.0

    def step(self) -> bool:
        """Take the next step, and return whether there is none after it. No content of the record makes it raise."""
        outcome, deadline = self.outcome, self._deadline
        try:
            try:
                deadline.begin(self._spent)
                if next(self._steps, _MADE) is None:
                    return False
            finally:
                self._spent = deadline.end()
        except TooCostly:
            outcome.drop()
            outcome.refuse(f"too costly: it takes more than {deadline.limit * 1000:.0f} ms of processor time")
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        # A bug in our code, or a panic in a Rust extension, which is not an Exception. The letter can be replayed after a fix.
        except BaseException as error:
            outcome.drop()
            outcome.refuse(f"reading failed: {_named(error)}")
            _log(outcome, error)
        outcome.size += (len(outcome.raw) if outcome.raw else 0) + (size_of(outcome.letter) if outcome.letter else 0)
        return True


#: Says that there is no step left.
_MADE = object()


def advance(making: deque[Making], until: float) -> None:
    """Take the steps of outcomes: all outcomes take one step before any takes the next. Stop once all are made, or later than `until`."""
    while making:
        one = making.popleft()
        if not one.step():
            making.append(one)
        if time.perf_counter() > until:
            return


def outcome_of(record: Any, read: Read, most: int, deadline: Deadline = DEADLINE, apart: int = 0) -> RecordOutcome:
    """Return the outcome of a record by itself, as `Making` makes it. No content of the record makes it raise."""
    making = Making(record, read, most, deadline, apart)
    while not making.step():
        pass
    return making.outcome


def _make(outcome: RecordOutcome, read: Read, most: int) -> Iterator[None]:
    record = outcome.record
    outcome.received = received_at(record)
    outcome.replay = replay_of(record)
    outcome.span = tracing.process(record)
    value, why = record.value, str(getattr(record, "unread", None) or "")
    if not why and value is None:
        why = "the record has no value"
    elif not why and len(value) > most:
        why = f"larger than the {most} bytes that a record may have"
    if why:
        outcome.refuse(why)
        if outcome.letter is not None and len(value or b"") > most:
            outcome.letter.value = None
        return
    try:
        if (steps := read(outcome)) is not None:
            yield from steps
    except Refused as error:
        outcome.refuse(str(error), error.detail)
    except SchemaError as error:
        outcome.refuse(line(error.faults), {"path": error.path[:REASON]})
    if (trace := traceparent_of(outcome.span)) is not None:
        for event, *_ in outcome.rows:
            event.trace = trace
    if outcome.rows:
        fit(outcome)
    if outcome.bad:
        outcome.refuse(outcome.bad[0].reason, bad=True)


def received_at(record: Any) -> float:
    """Return the record's timestamp in Unix seconds, or now if the producer's clock was wrong."""
    now = time.time()
    try:
        then = timestamp_of(record)
    except (TypeError, ValueError, OverflowError):
        return now
    return then if _OLDEST <= then <= now + _AHEAD else now


def _named(error: BaseException) -> str:
    """Return the error's class and message. The message may quote the record, so it goes only into the dead letter."""
    try:
        return f"{type(error).__name__}: {error}"[:REASON]
    except Exception:
        return type(error).__name__


def _log(outcome: RecordOutcome, error: BaseException) -> None:
    """Log where the error occurred. Its message and variables may hold personal data, so they are left out."""
    record = outcome.record
    log.error(
        "cannot read a record",
        topic=record.topic, partition=record.partition, offset=record.offset, source=outcome.source,
        error=type(error).__name__, at=place_of(error),
    )  # fmt: skip
