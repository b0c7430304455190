"""A batch's way into a real database: what one record's content makes impossible, and what nobody foresaw."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

import agents.pipeline
from agents.batches import Batch
from agents.health import WorkerHealth
from agents.outbound import Intake
from agents.outbound import prepare as asked
from agents.pipeline import Pipeline
from agents.records.outcome import RecordOutcome, outcome_of
from app.clients.configured import Clients
from app.settings import Settings
from schemas.events import Error, Event
from sql import DeadLetter, EventStore
from tests.conftest import Dsns
from tests.integration.sender import SOURCES
from tests.support.keys import SEAL
from tests.support.letters import whole_letters
from tests.support.links import digests

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def record(name: str, offset: int, topic: str = "events.reported") -> Any:
    """Return a record whose text names the event."""
    return SimpleNamespace(
        topic=topic, partition=0, offset=offset, timestamp=1_795_000_000_000, headers=(), value=name.encode()
    )


def event(name: str, **more: Any) -> Event:
    return Event("MessageFailed", "test", name, provider_message_id=name, error=Error("1", "x", "unknown"), **more)


def prepared(make: Callable[[str], list[Event]]) -> Callable[[Any], RecordOutcome]:
    """Reads a record into the events that `make` makes of its text."""

    def read(outcome: RecordOutcome) -> None:
        outcome.rows = [(one, "default", NOW, None) for one in make(outcome.record.value.decode())]

    return lambda one: outcome_of(one, read, 1 << 20)


class Published:
    """Collects dead letters as Kafka would have them."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []

    async def __call__(self, letter: DeadLetter) -> None:
        self.letters.append(letter)


class Acked:
    """Counts acknowledgements."""

    def __init__(self) -> None:
        self.count = 0

    def ack(self) -> None:
        self.count += 1


async def work(pipeline: Pipeline, prepare: Any, *stretches: list[Any]) -> Acked:
    """Run the pipeline on batches of these records."""
    acked = Acked()

    async def batches(*_: Any) -> AsyncIterator[Batch]:
        for records in stretches:
            yield Batch(records, [acked])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents.pipeline, "batches", batches)
        await pipeline.run(None, prepare)
    return acked


async def names(dsn: str, given: Iterable[str]) -> set[str]:
    """Those of the given ids whose events are in the log; an event of another id is named by its digest."""
    known = await digests(dsn, given)
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        found = await (await db.execute("SELECT source_event_id FROM threadline.events")).fetchall()
    return {known.get(str(row[0]), str(row[0])) for row in found}


async def test_what_one_record_makes_impossible_is_found_among_its_neighbours(postgres_dsn: Dsns) -> None:
    """PostgreSQL refuses one event of a hundred records, each time for another reason than any that we look for: the
    others are stored, those of the same record too, and one dead letter says how many are not."""

    def refused(name: str) -> list[Event]:
        bad = event(f"bad {name}", payload={"interactionId": "no uuid"})
        bad.type = "InteractionProcessing"
        bad.provider_message_id = None
        return [event(f"{name} a"), bad, event(f"{name} b")] if name == "r37" else [event(name)]

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        published, health = Published(), WorkerHealth()
        records = [record(f"r{n}", n) for n in range(100)]
        acked = await work(Pipeline(store, published, health, 1000), prepared(refused), records)
        letters = await whole_letters(store)
    assert acked.count == 1
    stored = {f"r{n}" for n in range(100) if n != 37} | {"r37 a", "r37 b"}
    assert await names(postgres_dsn.service, stored) == stored
    (letter,) = letters
    assert (letter["offset"], letter["value"]) == (37, b"r37")
    assert letter["reason"].startswith("1 of its 3 events cannot be stored")
    assert [one.offset for one in published.letters] == [37]
    assert health.counts["events"] == 101


async def test_a_record_all_of_whose_events_fail_ends(postgres_dsn: Dsns) -> None:
    """Thousands of events that the database refuses are not tried one by one for ever."""

    def refused(name: str) -> list[Event]:
        bad = [event(f"bad {n}", payload={"interactionId": "no uuid"}) for n in range(3000)]
        return [replace(one, type="InteractionProcessing", provider_message_id=None) for one in bad]

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        longer = record("x" * (1 << 20), 1)
        await work(Pipeline(store, Published(), WorkerHealth(), 1000), prepared(refused), [longer])
        (letter,) = await whole_letters(store)
    assert letter["reason"].startswith("3000 of its 3000 events cannot be stored")


async def test_a_dead_letter_that_is_refused_is_never_dropped(postgres_dsn: Dsns) -> None:
    """A letter that the database takes in no form is a fault of ours: it ends the worker, and those before it are kept."""

    def letter(one: Any) -> RecordOutcome:
        outcome = RecordOutcome(one, 1_795_000_000.0)
        outcome.refuse("bad", {"a": 1})
        assert outcome.letter is not None
        if one.offset == 1:
            outcome.letter.size = 2**70  # no bigint
            outcome.letter.webhook_id = "no uuid"
        return outcome

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        pipeline, health = Pipeline(store, Published(), WorkerHealth(), 10), WorkerHealth()
        with pytest.raises(psycopg.DataError):
            await work(pipeline, letter, [record("a", 0), record("b", 1), record("c", 2)])
        assert {row["offset"] for row in await whole_letters(store)} == {0}
    assert health.fault is None
    assert isinstance(pipeline.health.fault, psycopg.DataError)


async def test_telling_of_failures_with_odd_ids_holds_up_nobody(postgres_dsn: Dsns) -> None:
    """Ids with NUL and lone surrogates in them, as no adapter should make."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        make = lambda name: [event(name + "\x00"), event(name + "\ud800")]  # noqa: E731
        acked = await work(
            Pipeline(store, Published(), WorkerHealth(), 10), prepared(make), [record("a", 0)], [record("b", 1)]
        )
    assert acked.count == 2
    assert await names(postgres_dsn.service, ("a\ufffd", "b\ufffd")) == {"a\ufffd", "b\ufffd"}


class Broken(Exception):
    """What nobody foresaw."""


async def test_what_nobody_foresaw_is_never_dropped(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours while a batch is stored leaves `run`, is fatal to the health, and acknowledges nothing: whether
    another batch follows or not."""
    for stretches in ([[record("a", 0)]], [[record("a", 0)], [record("b", 1)], [record("c", 2)]]):
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
            pipeline = Pipeline(store, Published(), WorkerHealth(), 10)

            def broken(*_: Any) -> None:
                raise Broken

            monkeypatch.setattr("agents.pipeline.tracing.end", broken)
            with pytest.raises(Broken):
                await work(pipeline, prepared(lambda name: [event(name)]), *stretches)
        assert isinstance(pipeline.health.fault, Broken)
        assert pipeline.health.ending.is_set()


async def test_a_cancelled_agent_finishes_the_batch_that_it_stores(postgres_dsn: Dsns) -> None:
    """Cancelling an agent does not cancel its transaction, and the batch is acknowledged."""
    acked, going = Acked(), asyncio.Event()

    async def batches(*_: Any) -> AsyncIterator[Batch]:
        yield Batch([record("a", 0)], [acked])
        going.set()
        await asyncio.Event().wait()

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(agents.pipeline, "batches", batches)
            pipeline = Pipeline(store, Published(), WorkerHealth(), 10)
            task = asyncio.create_task(pipeline.run(None, prepared(lambda name: [event(name)])))
            await going.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert acked.count == 1
    assert await names(postgres_dsn.service, ["a"]) == {"a"}
    assert pipeline.health.fault is None


async def test_a_request_that_cannot_be_stored_holds_up_no_other(postgres_dsn: Dsns) -> None:
    """The database refuses one request of three: the two others are taken, and it is a dead letter."""
    asks = [
        b'{"clientId":"default","messageId":"m%d","to":"+15551234567","channel":"sms","body":"hi"}' % n
        for n in range(3)
    ]
    records = [record(ask.decode(), n, "messages.requested") for n, ask in enumerate(asks)]

    def prepare(one: Any) -> RecordOutcome:
        outcome = asked(one, 1 << 20)
        assert outcome.request is not None
        if one.offset == 1:
            outcome.request = replace(outcome.request, priority=7)  # against a rule of the table
        return outcome

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        clients = Clients(store, Settings.model_validate({"sources": SOURCES}))
        acked = await work(Intake(store, Published(), WorkerHealth(), 10, clients=clients), prepare, records)
        taken = [await store.message("default", f"m{n}") for n in range(3)]
        (letter,) = await whole_letters(store)
    assert acked.count == 1
    assert [row is not None for row in taken] == [True, False, True]
    assert (letter["offset"], letter["reason"].startswith("cannot be stored: CheckViolation")) == (1, True)
