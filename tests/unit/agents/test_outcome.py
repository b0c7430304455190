"""From a record to its outcome: total, within the budget, and nothing in it that PostgreSQL, Kafka or JSON will not take."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents.inbound
from agents import outbound, reported
from agents.health import WorkerHealth
from agents.pipeline import Pipeline
from agents.records.budget import BESIDE, MOST_EVENTS, TIMES
from agents.records.deadline import DEADLINE, Deadline
from agents.records.letters import DETAIL, FRAME, MOST_ITEMS, REASON, Letters, headers_of, size_of
from agents.records.outcome import Making, RecordOutcome, outcome_of, received_at
from agents.records.parted import BYTES, parts
from agents.records.storable import storable
from app.kafka.topics import LETTER_OVERHEAD
from schemas.events import Error, Event, Handle
from sql import Bad
from sql.hour_keys import HourKeys
from sql.parameters import written
from tests.support import traffic
from tests.support.keys import SEAL
from webhooks.record import Webhook, encode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = "0193a5c2-1111-7aaa-8bbb-0123456789ab"
MOST = 1 << 20
HEAD: dict[str, Any] = {
    "id": ID, "source": "twilio", "adapter": "twilio", "client": "acme", "method": "POST", "url": traffic.URL,
    "headers": {"content-type": "application/json"}, "receivedAt": "2026-11-21T12:00:00Z", "authentic": True,
}  # fmt: skip
REPORT: dict[str, Any] = {
    "specversion": "1.0", "id": "e1", "source": "/crm", "type": "message.received",
    "data": {"userId": "u1", "channel": "chat", "content": {"text": "hi"}},
}  # fmt: skip
ASKED: dict[str, Any] = {"clientId": "acme", "messageId": "m1", "to": "+15551234567", "channel": "sms", "body": "hi"}


def record(value: Any, topic: str = "events.reported", timestamp: int = 1_795_000_000_000, headers: Any = ()) -> Any:
    """A record as Kafka's client gives it."""
    return SimpleNamespace(topic=topic, partition=2, offset=7, timestamp=timestamp, headers=headers, value=value)


def webhook(body: bytes, adapter: str, **headers: str) -> bytes:
    """A record's value of `webhooks.received`."""
    return encode(Webhook(ID, adapter, adapter, "acme", "POST", traffic.URL, headers, NOW, True, body))


def all_three(one: Any) -> list[RecordOutcome]:
    """What each agent makes of it."""
    return [
        agents.inbound.prepare(one, WorkerHealth(), MOST),
        reported.prepare(one, MOST),
        outbound.prepare(one, MOST),
    ]


def held(outcome: RecordOutcome) -> None:
    """What must be true of every outcome."""
    size = len(outcome.record.value or b"")
    letter = outcome.letter
    assert outcome.rows or outcome.letter or outcome.request or outcome.raw is not None
    assert datetime.fromtimestamp(outcome.received, UTC).year >= 2000
    made = sum(map(len, map(written, outcome.rows))) + (size_of(letter) if letter else 0)
    assert made <= TIMES * size + BESIDE
    assert len(outcome.rows) <= MOST_EVENTS
    for data in map(written, outcome.rows):
        assert b"\\u0000" not in data.replace(b"\\\\", b"")
        assert data.decode()
    if letter:
        headers = headers_of(letter)
        assert letter.reason and len(letter.reason) <= REASON + 64
        assert len(letter.items) <= min(MOST_ITEMS, letter.bad)
        assert all(len(orjson.dumps(item.detail)) <= 2 * DETAIL + 2 for item in letter.items)
        assert sum(len(name) + len(text) + 16 for name, text in headers.items()) + FRAME <= LETTER_OVERHEAD


HEADERS = st.lists(
    st.tuples(st.sampled_from(["traceparent", "reason", "é\x00"]) | st.text(), st.none() | st.binary()), max_size=3
)
TIMES_OF = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, -(10**17), 2**62])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("\x00")
    | st.just("x" * 3000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def dumped(value: Any) -> bytes:
    """As JSON, if it can be written, else as what it looks like."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return repr(value).encode("utf-8", "replace")


@given(st.none() | st.binary(max_size=400), HEADERS, TIMES_OF)
def test_any_record_has_an_outcome(value: bytes | None, headers: Any, timestamp: int) -> None:
    """Whatever its bytes, headers and time."""
    for outcome in all_three(record(value, timestamp=timestamp, headers=headers)):
        held(outcome)


@given(st.dictionaries(st.sampled_from(sorted(HEAD)), JSON, max_size=3), st.binary(max_size=100), TIMES_OF)
def test_any_head_has_an_outcome(change: dict[str, Any], body: bytes, timestamp: int) -> None:
    """A webhook's record with any of what stands in its head replaced by any JSON."""
    held(
        agents.inbound.prepare(record(dumped(HEAD | change) + b"\n" + body, timestamp=timestamp), WorkerHealth(), MOST)
    )


@given(
    st.dictionaries(st.sampled_from([*REPORT, "time", "clientid", "subject", "data_base64", "datacontenttype"]), JSON, max_size=3),
    st.dictionaries(st.sampled_from(["userId", "channel", "content", "error", "messageId", "timestamp", "handle"]), JSON),
    TIMES_OF,
)  # fmt: skip
def test_any_report_has_an_outcome(change: dict[str, Any], data: dict[str, Any], timestamp: int) -> None:
    """A CloudEvent with any of its attributes and data replaced."""
    document = REPORT | {"data": REPORT["data"] | data} | change
    held(reported.prepare(record(dumped(document), timestamp=timestamp), MOST))


@given(st.dictionaries(st.sampled_from([*ASKED, "content", "template", "notBefore", "sendBefore", "zone", "priority"]), JSON, max_size=3))  # fmt: skip
def test_any_request_has_an_outcome(change: dict[str, Any]) -> None:
    """A send request with any of it replaced."""
    held(outbound.prepare(record(dumped(ASKED | change), topic="messages.requested"), MOST))


@pytest.mark.parametrize(
    "change",
    [
        {"source": 5}, {"client": None}, {"adapter": []}, {"id": "1"}, {"url": 7}, {"headers": {"a": 1}}, {"headers": []},
        {"authentic": "yes"}, {"receivedAt": "0000-01-01T00:00:00Z"}, {"receivedAt": "0001-01-01T00:00:00+14:00"},
        {"receivedAt": "2026-11-21T12:00:00"}, {"receivedAt": 5}, {"receivedAt": "9999-12-31T23:59:59-14:00"},
        {"source": "a\x00b"}, {"client": "c" * 300}, {"source": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_head_of_wrong_types_is_a_dead_letter(change: dict[str, Any]) -> None:
    """It names the key at fault, and never reaches the database."""
    outcome = agents.inbound.prepare(
        record(dumped(HEAD | change) + b"\nMessageSid=SM1&MessageStatus=sent"), WorkerHealth(), MOST
    )
    assert outcome.letter is not None
    assert next(iter(change)) in outcome.letter.reason
    assert (outcome.rows, outcome.letter.webhook_id) == ([], None)


@pytest.mark.parametrize("timestamp", [-(10**17), -1, 0, 2**63 - 1, 4_102_444_800_000])
def test_a_time_that_cannot_be_is_that_of_our_receipt(timestamp: int) -> None:
    """A producer's clock that was never set, or runs far ahead, says nothing: the event is taken, as of now."""
    before = time.time()
    outcome = reported.prepare(record(orjson.dumps(REPORT), timestamp=timestamp), MOST)
    assert outcome.letter is None
    assert before <= outcome.rows[0][2].timestamp() <= time.time()
    assert received_at(record(b"", timestamp=1_795_000_000_000)) == 1_795_000_000


@pytest.mark.parametrize("adapter", ["mandrill", "twilio"])
def test_a_nul_is_found_however_it_was_escaped(adapter: str) -> None:
    """In JSON within a form its escape is escaped once more; the same text as an id says that its message failed."""
    if adapter == "mandrill":
        result = b'[{"event":"hard_bounce","_id":"a\\u0000b","ts":1795000000,"msg":{"_id":"a\\u0000b","email":"a@example.com","state":"bounced"}}]'  # fmt: skip
        body = b"mandrill_events=" + result.replace(b"\\", b"%5C").replace(b'"', b"%22")
    else:
        body = b"MessageSid=SM%00&MessageStatus=failed&To=%2B15550000001&From=%2B15550000002"
    value = webhook(body, adapter, **{"content-type": "application/x-www-form-urlencoded"})
    outcome = agents.inbound.prepare(record(value), WorkerHealth(), MOST)
    assert outcome.rows, outcome.letter
    held(outcome)
    assert "\ufffd".encode() in written(outcome.rows[0])


@pytest.mark.parametrize("number", [3, 15_000, 200_000])
def test_a_list_of_bad_items_is_one_dead_letter(number: int) -> None:
    """It has the record once, the first of its items, and how many there were."""
    body = b"[" + b",".join([b"{}"] * number) + b"]"
    outcome = agents.inbound.prepare(record(webhook(body, "envelope")), WorkerHealth(), MOST)
    held(outcome)
    assert outcome.letter is not None
    if outcome.letter.bad > 1:
        assert (outcome.letter.bad, len(outcome.letter.items)) == (number, min(number, MOST_ITEMS))
    assert outcome.letter.value == outcome.record.value


def made(events: list[Event], value: bytes = b"x" * 1000) -> RecordOutcome:
    """The outcome of a record that is read into these."""

    def read(outcome: RecordOutcome) -> None:
        outcome.rows = [(event, "acme", NOW, None) for event in events]

    return outcome_of(record(value), read, MOST)


def test_what_makes_too_much_is_a_dead_letter() -> None:
    """Too many events, or events that hold the record once each: none of them is made, and memory is not filled either."""
    for events in (
        [Event("MessageSent", "s", str(n)) for n in range(MOST_EVENTS + 1)],
        [Event("MessageSent", "s", str(n), payload={"native": "x" * 1000}) for n in range(1100)],
        [Event("MessageSent", "s", "e", payload={"native": [1e300] * 200_000})],
    ):
        outcome = made(events)
        held(outcome)
        assert outcome.rows == []
        assert outcome.letter is not None and outcome.letter.reason.startswith("makes too much")


@pytest.mark.parametrize(
    "event",
    [
        Event("MessageSent", "s", "e", payload={"a": 2**64}),
        Event("MessageSent", "s", "e", payload={1: 2}),  # type: ignore[dict-item]  # what a wrong adapter could give
        Event("MessageSent", "s", "e", provider_message_id="x" * 600),
        Event("MessageSent", "s", "e", message_id="\U0001f600" * 512, payload={"x": "y" * 300}),
        Event("MessageSent", "s", "e", handle=Handle("other", "x" * 5000)),
    ],
    ids=["number", "key", "id", "id of wide characters", "handle"],
)
def test_an_event_that_cannot_be_stored_is_a_bad_item(event: Event) -> None:
    """Beside a neighbour of the same record, which lives. (Ids of 512 wide characters do not fit PostgreSQL's index.)"""
    good = Event("MessageSent", "s", "good")
    client = "\U0001f600" * 255

    def read(outcome: RecordOutcome) -> None:
        outcome.rows = [(good, "acme", NOW, None), (event, client, NOW, None), (good, "acme", NOW, None)]

    outcome = outcome_of(record(b"x" * 5000), read, MOST)
    held(outcome)
    assert [row[0].source_event_id for row in outcome.rows] == ["good", "good"]
    assert outcome.letter is not None and outcome.letter.bad == 1


def test_what_can_be_mended_is() -> None:
    """Long texts of errors are cut, times of broken clocks left out, NUL and lone surrogates replaced."""
    event = Event(
        "MessageFailed", "s", "e\x00", occurred_at=datetime(1, 1, 1, tzinfo=UTC), error=Error("c" * 999, "\x01" * 900_000, "unknown"),
        payload={"a": ["\ud800\x00"]},
    )  # fmt: skip
    (stored, *_), data = storable((event, "acme", NOW, None))
    assert stored.occurred_at is None
    assert stored.error is not None and (len(stored.error.code or ""), len(stored.error.text or "")) == (128, 1024)
    assert orjson.loads(data)[4] == "e\ufffd"
    assert orjson.loads(data)[12] == {"a": ["\ufffd\ufffd"]}


def loop(outcome: RecordOutcome) -> None:
    """Read a record for ever, whatever comes, as an adapter may by mistake."""
    if outcome.record.value == b"{}":
        while True:
            try:
                sum(range(1000))
            except Exception:  # what swallows too much
                continue
    outcome.rows = [(Event("MessageSent", "s", "good"), "acme", NOW, None)]


async def test_an_adapter_that_loops_for_ever_costs_its_record_only() -> None:
    """It is interrupted, whatever it catches; the records around it go through, and nothing ticks afterwards."""
    pipeline = Pipeline(None, None, WorkerHealth(), 10)  # type: ignore[arg-type]
    records = [record(b"good"), record(b"{}"), record(b"good")]
    before, bad, after = await pipeline._prepare(records, lambda one: outcome_of(one, loop, MOST))
    assert bad.letter is not None and bad.letter.reason.startswith("too costly")
    assert len(before.rows) == len(after.rows) == 1
    began = time.process_time()
    while time.process_time() - began < 0.4:  # longer than a record may take
        pass


async def test_records_take_their_steps_in_turn() -> None:
    """All of them the first before any takes the second; one that fails in between takes no more, and the others go on."""
    taken: list[tuple[bytes, int]] = []

    def read(outcome: RecordOutcome) -> Iterator[None]:
        for step in range(3):
            taken.append((outcome.record.value, step))
            if (outcome.record.value, step) == (b"bad", 1):
                raise ZeroDivisionError
            yield
        outcome.rows = [(Event("MessageSent", "s", "good"), "acme", NOW, None)]

    pipeline = Pipeline(None, None, WorkerHealth(), 10)  # type: ignore[arg-type]
    values = [b"one", b"bad", b"two"]
    outcomes = await pipeline._prepare([record(value) for value in values], lambda one: Making(one, read, MOST))
    assert taken[:3] == [(value, 0) for value in values]
    assert taken[3:] == [(b"one", 1), (b"bad", 1), (b"two", 1), (b"one", 2), (b"two", 2)]
    assert [outcome.record.value for outcome in outcomes] == values
    assert [len(outcome.rows) for outcome in outcomes] == [1, 0, 1]
    assert outcomes[1].letter is not None and "ZeroDivisionError" in outcomes[1].letter.reason


async def test_the_steps_of_a_record_have_one_limit_together() -> None:
    """A record that stays below it in each step is too costly all the same; its neighbour, whose steps lie between, is not."""

    def read(outcome: RecordOutcome) -> Iterator[None]:
        for _ in range(
            20
        ):  # far more than the limit, as little of the time of a process that waits for a processor is counted
            until = time.thread_time() + (0.1 if outcome.record.value == b"bad" else 0.0)
            while time.thread_time() < until:
                sum(range(50_000))  # the timer does not count the time of system calls
            yield
        outcome.rows = [(Event("MessageSent", "s", "good"), "acme", NOW, None)]

    pipeline = Pipeline(None, None, WorkerHealth(), 10)  # type: ignore[arg-type]
    good, bad = await pipeline._prepare([record(b"good"), record(b"bad")], lambda one: Making(one, read, MOST))
    assert bad.letter is not None and bad.letter.reason.startswith("too costly")
    assert (bad.rows, len(good.rows)) == ([], 1)


def test_a_record_is_not_blamed_for_time_that_was_not_its_own() -> None:
    """A process that was stopped, or a machine that is busy, makes no record too costly: processor time counts."""
    slept: list[bool] = []

    def read(outcome: RecordOutcome) -> None:
        time.sleep(0.2)
        slept.append(True)
        outcome.raw = b"x"

    deadline = Deadline(limit=0.1)
    with deadline.ticking():
        outcome = outcome_of(record(b"x"), read, MOST, deadline)
    assert slept and outcome.letter is None


@pytest.mark.parametrize("error", [ZeroDivisionError, MemoryError, RecursionError, BaseException, AssertionError])
def test_whatever_a_reader_raises_is_a_dead_letter(error: type[BaseException], caplog: Any) -> None:
    """Also what is no Exception, as a panic of a library in Rust; neither the log nor a neighbour has its words."""

    def read(_: RecordOutcome) -> None:
        raise error("+15551234567")

    outcome = outcome_of(record(b"x"), read, MOST)
    assert outcome.letter is not None and error.__name__ in outcome.letter.reason
    assert "+15551234567" not in caplog.text


def test_a_cancelled_reader_is_cancelled() -> None:
    """The end of the process is nothing that a record does."""

    def read(_: RecordOutcome) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        outcome_of(record(b"x"), read, MOST)


def test_a_record_beyond_all_bounds_is_a_stub() -> None:
    """One that decompresses to more than a record may have is neither read nor kept; its size and digest are."""
    outcome = reported.prepare(record(b"{" * (MOST + 1)), MOST)
    letter = outcome.letter
    assert letter is not None
    assert (letter.value, letter.size, len(letter.digest or b"")) == (None, MOST + 1, 32)


@pytest.mark.parametrize(("value", "kept"), [(b"{}", b"{}"), (b"{" * (MOST + 1), None), (None, None)])
def test_an_unread_record_is_a_letter_with_its_reason(value: bytes | None, kept: bytes | None) -> None:
    """A record with too many headers has a valid value, which can be replayed; it makes no event."""
    one = record(value)
    one.unread = "1001 headers, where a record may have 1000"
    for outcome in all_three(one):
        letter = outcome.letter
        assert letter is not None and outcome.rows == []
        assert (letter.topic, letter.partition, letter.offset) == ("events.reported", 2, 7)
        assert (letter.reason, letter.value, letter.size) == (one.unread, kept, len(value or b""))
        assert letter.digest == (None if value is None else sha256(value).digest())


def test_a_transaction_is_bounded_in_bytes() -> None:
    """A thousand records of a megabyte are not one statement; one that is larger goes alone."""
    sizes = [1 << 20] * 20 + [BYTES * 2] + [10] * 1000
    found = list(parts(sizes, lambda size: (size, 1), 600))
    assert [size for part in found for size in part] == sizes
    assert all(sum(part) <= BYTES or len(part) == 1 for part in found)
    assert max(map(len, found)) == 600
    assert len(found) == 3 + 1 + 2


class Topic:
    """Takes what is sent to it, unless it is too large for it."""

    def __init__(self, sent: list[Any], most: int) -> None:
        self.sent, self.most = sent, most

    async def send(self, *, value: bytes, headers: dict[str, bytes]) -> Any:
        from aiokafka.errors import MessageSizeTooLargeError

        future = asyncio.get_running_loop().create_future()
        if len(value) > self.most:
            future.set_exception(MessageSizeTooLargeError())
        else:
            self.sent.append((value, headers))
            future.set_result(None)
        return future


async def test_a_dead_letter_that_does_not_fit_is_a_stub() -> None:
    """By what we know of the topic, or by Kafka's word: its place, digest, size and reason go all the same."""
    outcome = made([])
    outcome.refuse("x\ud800" * 5000)
    letter = outcome.letter
    assert letter is not None
    unsealed: Any = SimpleNamespace(hours=HourKeys(SEAL, without=["dlq"]), keys_ready=AsyncMock())
    for ours, theirs, whole in ((1 << 20, 1 << 20, True), (1000, 1 << 20, False), (1 << 20, 500, False)):
        sent: list[Any] = []
        app = SimpleNamespace(topic=lambda *_, theirs=theirs, sent=sent, **__: Topic(sent, theirs))
        await Letters(app, ours, unsealed)(letter)
        ((value, headers),) = sent
        assert value == (letter.value if whole else b"")
        assert ("stub" in headers) is not whole
        assert (headers["offset"], headers["size"], len(headers["digest"])) == (b"7", b"1000", 64)


def test_the_items_of_a_letter_are_bounded() -> None:
    """However long their description is."""

    def read(outcome: RecordOutcome) -> None:
        outcome.bad = [Bad(n, "r" * 10_000, {"x": "y" * 10_000}) for n in range(1000)]

    outcome = outcome_of(record(b"x"), read, MOST)
    held(outcome)
    assert outcome.letter is not None and outcome.letter.bad == 1000


def test_the_deadline_of_the_process_is_there() -> None:
    """The one that the agents use, with nothing under way."""
    assert DEADLINE._reading is False


@pytest.mark.parametrize("status", ["Delivered", "Failed", "Sideways"])
def test_a_full_report_of_a_thousand_recipients_is_a_thousand_events(status: str) -> None:
    """Of the largest batch that a provider documents each recipient has an event, though the report is 20 kB alone."""
    recipients = [f"1555{number:07d}" for number in range(1000)]
    report = {
        "type": "delivery_report_sms", "batch_id": "01FC66621XXXXX119Z8PMV1QPQ", "total_message_count": 1000,
        "client_reference": "campaign-2026-11-28-a-long-name", "applied_originator": "15557654321",
        "statuses": [{"code": 0, "count": 1000, "recipients": recipients, "status": status}],
    }  # fmt: skip
    value = webhook(orjson.dumps(report), "sinch", **{"content-type": "application/json"})
    outcome = agents.inbound.prepare(record(value, "webhooks.received"), WorkerHealth(), MOST)
    assert (len(outcome.rows), outcome.letter) == (1000, None)
    assert {row[0].handle.value for row in outcome.rows if row[0].handle} == {f"+{one}" for one in recipients}


@pytest.mark.parametrize("id", ["ana@example.com", "otp+15551234567", "15551234567"])
@pytest.mark.parametrize("fault", [{}, {"surprise": 1}])
def test_an_id_with_an_address_names_no_message(id: str, fault: dict[str, Any]) -> None:
    """It would stand in clear with the message that tells its client of the fault: there is the dead letter alone."""
    outcome = outbound.prepare(record(orjson.dumps(ASKED | fault | {"messageId": id}), "messages.requested"), MOST)
    assert outcome.letter is not None and outcome.refused is None and outcome.request is None
    assert id not in outcome.letter.reason
    bad = outbound.prepare(record(orjson.dumps(ASKED | {"surprise": 1}), "messages.requested"), MOST)
    assert bad.refused is not None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"source": "https://crm/ana@example.com"}, "$.source"),
        ({"data": REPORT["data"] | {"messageId": "for-+15551234567"}}, "$.data.messageId"),
        ({"data": {"channel": "sms", "from": "+15551234567", "messageId": "15551234567"}}, "$.data.messageId"),
    ],
)
def test_a_report_with_an_address_in_an_id_is_a_dead_letter(change: dict[str, Any], path: str) -> None:
    """Its own id and the provider's may have one: they are kept as digests."""
    letter = reported.prepare(record(orjson.dumps(REPORT | change)), MOST).letter
    assert letter is not None and letter.detail is not None and letter.detail["path"] == path
    assert letter.source == (None if path == "$.source" else "/crm")
    named = REPORT | {"id": "ana@example.com", "data": REPORT["data"] | {"providerMessageId": "+15551234567"}}
    assert reported.prepare(record(orjson.dumps(named)), MOST).letter is None
