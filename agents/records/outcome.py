"""From a Kafka record to its outcome, whatever is in it: its events, its dead letter, or both, within a budget.

`outcome_of` is total: nothing that one record holds is raised out of it, and what comes out can be stored and published. The
budget of a record of N bytes: 4 N + 1 MiB of events and dead letter, `MOST_EVENTS` events, `deadline.LIMIT` seconds of
processor time. A record past it is a dead letter that says so, and makes no event: half of what it says would pass for all.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog
from opentelemetry.trace import Span

from adapters.contract.receiving import Once
from agents.batches import timestamp_of
from agents.process import tracing
from agents.records.deadline import DEADLINE, LIMIT, Deadline, TooCostly
from agents.records.letters import BESIDE_VALUE, REASON, letter_of, size_of
from agents.records.storable import Refused, storable, weight
from app.sending.requests import Request
from schemas import SchemaError
from schemas.events import Error
from sql import Bad, DeadLetter, Row, Unstorable

log = structlog.get_logger(__name__)

#: Bytes of events and dead letter that a record may make: so many times its own, and so many more.
#: The latter is what a batch's report has of a thousand recipients in some kilobytes (Sinch's), each refused as one who opted
#: out, which is two events of 450 bytes.
TIMES, BESIDE = 4, 1 << 20
#: Events that a record may make.
MOST_EVENTS = 5000

#: A record's own time outside of these is that of a clock that was never set, or is broken.
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_AHEAD = 24 * 3600.0


@dataclass(slots=True)
class Outcome:
    """What came of one Kafka record: the bytes to keep (or None), its events (and each as JSON), and its dead letter; of a
    send request, that, or whose it is and why it cannot be sent. `received` in Unix seconds; `size` is the bytes that all
    of it takes to store."""

    record: Any
    received: float = 0.0
    raw: bytes | None = None
    rows: list[Row] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    letter: DeadLetter | None = None
    span: Span | None = None
    source: str | None = None
    webhook_id: str | None = None
    request: Request | None = None
    refused: tuple[Request, Error] | None = None
    #: Of a webhook whose signature covers a token alone: its source, and that.
    once: tuple[str, Once] | None = None
    size: int = 0

    def refuse(self, reason: str, detail: Any = None, *, bad: bool = False) -> None:
        """Have a dead letter that says this of the whole record, or (`bad`) of its bad items, in place of any other."""
        self.letter = letter_of(
            self.record, reason, self.bad if bad else (), detail=detail, source=self.source, webhook_id=self.webhook_id
        )

    def drop(self) -> None:
        """Make no event."""
        self.rows, self.written, self.bad, self.request, self.refused = [], [], [], None, None


#: Reads a record into its outcome. May raise anything.
Read = Callable[[Outcome], None]


def outcome_of(record: Any, read: Read, most: int, deadline: Deadline = DEADLINE) -> Outcome:
    """The outcome of a record of at most `most` bytes. Raises nothing that comes of the record."""
    outcome = Outcome(record)
    try:
        try:
            deadline.begin()
            _make(outcome, read, most)
        finally:
            deadline.end()
    except TooCostly:
        outcome.drop()
        outcome.refuse(f"too costly: it takes more than {LIMIT * 1000:.0f} ms of processor time")
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except (
        BaseException
    ) as error:  # a fault of ours (a panic in Rust is no Exception): to be replayed once it is mended
        outcome.drop()
        outcome.refuse(f"reading failed: {_named(error)}")
        _log(outcome, error)
    outcome.size += (len(outcome.raw) if outcome.raw else 0) + (size_of(outcome.letter) if outcome.letter else 0)
    return outcome


def _make(outcome: Outcome, read: Read, most: int) -> None:
    record = outcome.record
    outcome.received = received_at(record)
    outcome.span = tracing.process(record)
    if why := getattr(record, "unread", None):
        outcome.refuse(str(why))
        return
    value = record.value
    if value is None:
        outcome.refuse("the record has no value")
        return
    if len(value) > most:
        outcome.refuse(f"larger than the {most} bytes that a record may have")
        assert outcome.letter is not None
        outcome.letter.value = None
        return
    try:
        read(outcome)
    except Refused as error:
        outcome.refuse(str(error), error.detail)
    except SchemaError as error:
        outcome.refuse(str(error), {"path": error.path[:REASON]})
    if outcome.rows:
        _fit(outcome)
    if outcome.bad:
        outcome.refuse(outcome.bad[0].reason, bad=True)


def received_at(record: Any) -> float:
    """When the record was put on Kafka, in Unix seconds; now, where its producer's clock says what cannot be."""
    now = time.time()
    try:
        then = timestamp_of(record)
    except (TypeError, ValueError, OverflowError):
        return now
    return then if _OLDEST <= then <= now + _AHEAD else now


def _fit(outcome: Outcome) -> None:
    """Write each event, mend or refuse what cannot be stored, and hold all of them to the budget."""
    rows, outcome.rows = outcome.rows, []
    if len(rows) > MOST_EVENTS:
        outcome.drop()
        outcome.refuse(f"makes too much: {len(rows)} events, where a record may make {MOST_EVENTS}")
        return
    allowed = TIMES * len(outcome.record.value) + BESIDE
    for row in rows:
        try:
            row, data = storable(row)
        except (Refused, Unstorable) as error:
            outcome.bad.append(Bad(len(outcome.bad), f"{row[0].type} {error}"[:REASON], row[0].payload))
            continue
        outcome.size += weight(data)
        if outcome.size > allowed:
            outcome.drop()
            outcome.size = 0
            outcome.refuse(f"makes too much: more than {allowed} bytes of events")
            return
        outcome.rows.append(row)
        outcome.written.append(data)
    if outcome.bad and outcome.size + len(outcome.record.value) + BESIDE_VALUE > allowed:
        outcome.drop()
        outcome.size = 0
        outcome.refuse(f"makes too much: more than {allowed} bytes of events beside what is wrong with others")


def _named(error: BaseException) -> str:
    """The error's class and words; the words may repeat what the record says, and go into the dead letter alone."""
    try:
        return f"{type(error).__name__}: {error}"[:REASON]
    except Exception:
        return type(error).__name__


def _log(outcome: Outcome, error: BaseException) -> None:
    """Say where a fault of ours is. Not its words nor its frames' values: they may be personal."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    record = outcome.record
    log.error(
        "cannot read a record",
        topic=record.topic, partition=record.partition, offset=record.offset, source=outcome.source,
        error=type(error).__name__, at=None if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}",
    )  # fmt: skip
