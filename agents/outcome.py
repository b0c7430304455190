"""From a Kafka record to its outcome, whatever is in it: its events, its dead letter, or both, within a budget.

`outcome_of` is total: nothing that one record holds is raised out of it, and what comes out can be stored and published. The
budget of a record of N bytes: 4 N + 64 KiB of events and dead letter, `MOST_EVENTS` events, `deadline.LIMIT` seconds of
processor time. A record past it is a dead letter that says so, and makes no event: half of what it says would pass for all.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import structlog
from opentelemetry.trace import Span

from agents import tracing
from agents.batches import timestamp_of
from agents.deadline import DEADLINE, LIMIT, Deadline, TooCostly
from app.sending.requests import Request
from schemas import SchemaError
from schemas.events import Error, Event
from sql import Bad, DeadLetter, Row, Unstorable
from sql.parameters import written

log = structlog.get_logger(__name__)

#: Bytes of events and dead letter that a record may make: so many times its own, and so many more.
TIMES, BESIDE = 4, 64 << 10
#: Events that a record may make.
MOST_EVENTS = 5000
#: Bad items that a dead letter names; characters of a reason, and bytes of an item's JSON, that it keeps.
MOST_ITEMS, REASON, DETAIL = 20, 500, 1024

#: What a dead letter takes at the most beside the record's value.
_LETTER = (MOST_ITEMS + 1) * (REASON + DETAIL)

#: Most characters of an event's own texts. The ids are those of `schemas/definitions.json`; the rest is what no provider
#: comes near. An id that is longer is refused, as half of it is another id.
_LONGEST: dict[str, int] = {
    "type": 64,
    "channel": 64,
    "direction": 64,
    "source": 512,
    "source_event_id": 2048,
    "provider": 512,
    "provider_message_id": 512,
    "message_id": 512,
}
_HANDLE, _CODE, _TEXT = 4096, 255, 4096
#: No event whose JSON is shorter breaks one of these.
_SHORT = 255
#: Bytes of UTF-8 that a client's and a message's id may have together: both stand in one entry of an index
#: (`deliveries_order`), and PostgreSQL takes 2,704 bytes there.
_TOGETHER = 2500

#: Times outside of these are those of a clock that was never set, or of one that is broken.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
_AHEAD = 24 * 3600.0

#: A number that PostgreSQL writes out in hundreds of digits, and what it may be longer by.
_HUGE, _DIGITS = re.compile(rb"[eE][+-]?[0-9]{2,3}"), 330
#: Bytes of JSON from which such numbers are looked for.
_MANY = 4096


class Refused(Exception):
    """A record that cannot be processed. `str()` of it is the reason, `detail` any JSON that says where."""

    def __init__(self, reason: str, detail: Any = None) -> None:
        super().__init__(reason)
        self.detail = detail


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
    size: int = 0

    def refuse(self, reason: str, detail: Any = None) -> None:
        """Have a dead letter that says this of the whole record, in place of the one it has, if any."""
        self.letter = letter_of(self, reason, detail=detail)

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
    except BaseException as error:  # a library in Rust that panics raises one that is no Exception
        outcome.drop()
        outcome.refuse(f"reading failed: {_named(error)}")
        _log(outcome, error)
    outcome.size += (len(outcome.raw) if outcome.raw else 0) + (size_of(outcome.letter) if outcome.letter else 0)
    return outcome


def _make(outcome: Outcome, read: Read, most: int) -> None:
    record = outcome.record
    outcome.received = received_at(record)
    outcome.span = tracing.process(record)
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
    except Exception as error:  # a fault of ours; the letter can be replayed once it is mended
        outcome.drop()
        outcome.refuse(f"reading failed: {_named(error)}")
        _log(outcome, error)
    if outcome.rows:
        _fit(outcome)
    if outcome.bad:
        outcome.letter = letter_of(outcome, outcome.bad[0].reason, outcome.bad)


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
            detail = None if row[0].payload is None else row[0].payload
            outcome.bad.append(Bad(len(outcome.bad), f"{row[0].type} {error}"[:REASON], detail))
            continue
        outcome.size += weight(data)
        if outcome.size > allowed:
            outcome.drop()
            outcome.size = 0
            outcome.refuse(f"makes too much: more than {allowed} bytes of events")
            return
        outcome.rows.append(row)
        outcome.written.append(data)
    if outcome.bad and outcome.size + len(outcome.record.value) + _LETTER > allowed:
        outcome.drop()
        outcome.size = 0
        outcome.refuse(f"makes too much: more than {allowed} bytes of events beside what is wrong with others")


def storable(row: Row) -> tuple[Row, bytes]:
    """The row as PostgreSQL can hold it, and as JSON. Raises Refused or Unstorable where there is no such row."""
    event = row[0]
    at = event.occurred_at
    if at is not None and (at.tzinfo is None or not _EARLIEST <= at <= _LATEST):
        event = replace(event, occurred_at=None)
        row = (event, *row[1:])
    data = written(row)
    if len(data) > _SHORT:
        event = _bounded(event, row[1])
        if event is not row[0]:
            row = (event, *row[1:])
            data = written(row)
    return row, data


def _bounded(event: Event, client: str) -> Event:
    for name, most in _LONGEST.items():
        if (text := getattr(event, name)) is not None and len(text) > most:
            raise Refused(f"{name} has more than {most} characters")
    if event.handle is not None and len(event.handle.value) > _HANDLE:
        raise Refused(f"its handle has more than {_HANDLE} characters")
    message = event.message_id
    if message is not None and len(message) + len(client) > _TOGETHER // 4:
        if len(f"{client}{message}".encode("utf-8", "replace")) > _TOGETHER:
            raise Refused(f"message_id and client have more than {_TOGETHER} bytes together")
    error = event.error
    if error is not None and (len(error.code or "") > _CODE or len(error.text or "") > _TEXT):
        event = replace(event, error=Error(_cut(error.code, _CODE), _cut(error.text, _TEXT), error.reason))
    return event


def _cut(text: str | None, most: int) -> str | None:
    return text if text is None or len(text) <= most else text[: most - 1] + "…"


def weight(data: bytes) -> int:
    """The bytes that an event's JSON has, also once PostgreSQL has written its numbers out."""
    return len(data) if len(data) < _MANY else len(data) + _DIGITS * len(_HUGE.findall(data))


def letter_of(outcome: Outcome, reason: str, bad: Sequence[Bad] = (), *, detail: Any = None) -> DeadLetter:
    """The dead letter of a record, the same at every redelivery. Each of its texts is bounded."""
    record, value = outcome.record, outcome.record.value
    more = f" (and {len(bad) - 1} more of its items)" if len(bad) > 1 else ""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        webhook_id=outcome.webhook_id,
        source=_cut(outcome.source, 255),
        reason=f"{_cut(reason, REASON)}{more}",
        detail=_shown(detail),
        bad=max(1, len(bad)),
        items=[Bad(one.ordinal, one.reason[:REASON], _shown(one.detail)) for one in bad[:MOST_ITEMS]],
        value=value,
        size=len(value or b""),
        digest=None if value is None else sha256(value).digest(),
    )


def stub_of(letter: DeadLetter) -> DeadLetter:
    """The same without what may be at fault: the value, and the items."""
    return replace(letter, value=None, items=[], detail=None)


def size_of(letter: DeadLetter) -> int:
    """About the bytes that a letter takes."""
    return len(letter.value or b"") + (DETAIL + REASON) * (1 + len(letter.items))


def _shown(detail: Any) -> Any:
    """An item as the dead letter keeps it, beside the value that holds it: whole where it is small, else its beginning."""
    if detail is None:
        return None
    try:
        data = orjson.dumps(detail)
    except TypeError:
        return None
    return detail if len(data) <= DETAIL else data[:DETAIL].decode("utf-8", "replace")


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
