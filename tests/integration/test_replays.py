"""What came of a replay, recorded with what the record makes: on a real database, and by a worker that is killed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from agents import replaying, reported
from agents.health import WorkerHealth
from agents.outbound import Intake
from agents.outbound import prepare as asked
from agents.pipeline import Pipeline
from agents.records.replays import header_of
from agents.replaying import Replayer
from app.clients.configured import Clients
from app.settings import Settings
from sql import DeadLetter, EventStore
from sql.hour_keys import HourKeys
from tests.conftest import Dsns
from tests.integration.sender import SOURCES
from tests.integration.test_pipeline import Published, names, work
from tests.integration.test_pipeline import record as plain
from tests.integration.worker import at_work, serving
from tests.support.keys import SEAL
from tests.support.waiting import eventually

#: Ends the worker by force when a batch is stored and its offsets are not committed yet.
KILLED = "import agents.batches, os\nagents.batches.Batch.ack = lambda self: os.kill(os.getpid(), 9)"


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as opened:
        yield opened


def cloud_event(id: str = "1", **more: Any) -> bytes:
    """A service's event about Ana."""
    data = {"channel": "chat", "providerMessageId": f"m{id}", "from": "+15551234567", "content": {"text": "hi"}}
    fields = {"specversion": "1.0", "id": id, "source": "app", "type": "message.received", "data": data}
    return orjson.dumps(fields | more)


def dead(value: bytes, offset: int = 0, topic: str = "events.reported") -> DeadLetter:
    """A dead letter of this record, as an earlier version of the code made it."""
    return DeadLetter(
        topic, 0, offset, "not known yet", value=value, size=len(value), digest=sha256(value).digest(), client="default"
    )


async def replayed(store: EventStore, letter: DeadLetter) -> Any:
    """Bury a letter and replay it; the record as it comes from its topic again."""
    await store.append([], [], [letter])
    (row,) = await store.dead_letters(limit=1)
    found: list[Any] = []

    async def publish(records: Any) -> list[bool]:
        for topic, value, id, number in records:
            one = plain("", 1000 + letter.offset, topic)
            one.value, one.headers = value, (header_of(id, number),)
            found.append(one)
        return [True] * len(records)

    assert await store.replay_dead_letters([row["id"]], "test")
    assert await store.publish_replays(publish) == 1
    return found[0]


async def outcome(store: EventStore, record: Any) -> tuple[Any, ...]:
    """The outcome of a record's dead letter, and the number of its events."""
    row = await store.dead_letter(UUID(record.headers[0][1].decode().partition("/")[0]))
    assert row is not None
    return row["outcome"], row["outcome_events"], row["became"]


def reporting(store: EventStore) -> Callable[..., Any]:
    """Processes records of events.reported as the worker does."""
    pipeline = Pipeline(store, Published(), WorkerHealth(), 1000)
    return partial(work, pipeline, partial(reported.prepare, most=1 << 20))


async def test_events_then_a_duplicate_and_the_first_outcome_counts(store: EventStore) -> None:
    """A record that is read again after a crash does not change what its replay came to; a second replay is a duplicate."""
    record = await replayed(store, dead(cloud_event()))
    await reporting(store)([record])
    assert await outcome(store, record) == ("events", 1, None)
    await reporting(store)([record])
    assert await outcome(store, record) == ("events", 1, None)
    second = await replayed(store, dead(cloud_event(), 1))
    other = plain("", 5)
    other.value = cloud_event("2")
    await reporting(store)([other, second])
    assert await outcome(store, second) == ("duplicate", 0, None)


async def test_a_record_that_differs_from_the_log_makes_events(store: EventStore) -> None:
    """A replay after a change of an adapter may add to an event that the log has: that is no duplicate."""
    await reporting(store)([await replayed(store, dead(cloud_event(), 0))])
    more = orjson.loads(cloud_event())
    more["data"]["content"]["text"] = "hi, all of it"
    record = await replayed(store, dead(orjson.dumps(more), 1))
    await reporting(store)([record])
    assert (await outcome(store, record))[:2] == ("events", 1)
    await reporting(store)([record])
    assert (await outcome(store, record))[:2] == ("events", 1)


@pytest.mark.parametrize("content", [None, {"default": "keep"}, {"chat": "drop", "email": "keep"}])
async def test_the_record_goes_once_it_was_replayed_if_contents_are_not_wanted(store: EventStore, content: Any) -> None:
    """Whether it made events, was a duplicate, or is dead again: then the new dead letter has it. Read again after a crash it is the
    same."""
    document = {"channels": [{"channel": "sms", "account": "a"}]} | ({} if content is None else {"content": content})
    await store.set_client("default", document, "test")
    values = (cloud_event(), cloud_event(), cloud_event(type="unheard.of"))
    kept = content is None or "drop" not in content.values()
    for offset, (value, word) in enumerate(zip(values, ("events", "duplicate", "dead"), strict=True)):
        record = await replayed(store, dead(value, offset))
        for _ in range(2):
            await reporting(store)([record])
            assert (await outcome(store, record))[0] == word
        row = await store.dead_letter(UUID(record.headers[0][1].decode().partition("/")[0]))
        assert row is not None and row["record_removed"] is not kept
        assert (row["value"], row["reason"]) == (value if kept else None, "not known yet")
    new = await store.dead_letter((await outcome(store, record))[2])
    assert new is not None and new["value"] == values[2]


async def test_dead_again_names_the_new_one(store: EventStore) -> None:
    """And the new one names the old one; replaying it once more leads on."""
    record = await replayed(store, dead(cloud_event(type="unheard.of")))
    await reporting(store)([record])
    word, events, became = await outcome(store, record)
    assert (word, events) == ("dead", 0)
    new = await store.dead_letter(became)
    assert new is not None
    assert str(new["replay_of"]) == record.headers[0][1].decode().partition("/")[0]
    assert (new["offset"], new["client_id"], new["source"]) == (1000, "default", "app")


async def test_a_header_is_believed_for_the_same_record_only(store: EventStore) -> None:
    """A writer to the topic cannot end a dead letter with another record, or an earlier replay's number."""
    record = await replayed(store, dead(cloud_event()))
    forged = plain("", 1)
    forged.headers, forged.value = record.headers, cloud_event("2", type="unheard.of")
    await reporting(store)([forged])
    assert await outcome(store, record) == (None, None, None)
    (new, _) = await store.dead_letters()
    assert new["replay_of"] is None
    id = UUID(record.headers[0][1].decode().partition("/")[0])
    assert await store.replay_dead_letters([id], "test", again=True)
    await reporting(store)([record])
    assert await outcome(store, record) == (None, None, None)  # that was the first replay, and the second is under way


async def test_a_number_beyond_the_databases_stops_no_batch(store: EventStore, postgres_dsn: Dsns) -> None:
    """A forged header whose number PostgreSQL cannot hold is no replay, and its record and its neighbours are stored."""
    forged, other = plain("", 1), plain("", 2)
    forged.value, other.value = cloud_event("1"), cloud_event("2")
    forged.headers = (("dead-letter", f"{UUID(int=1).hex}/{2**31}".encode()),)
    await reporting(store)([forged, other])
    assert await names(postgres_dsn.service, ("1", "2")) == {"1", "2"}


@pytest.mark.parametrize("known", [True, False])
async def test_a_send_request_is_replayed(store: EventStore, known: bool) -> None:
    """It makes a message, or is a duplicate of one; one that nobody can route is dead again."""
    intake = Intake(
        store, Published(), WorkerHealth(), 1000, clients=Clients(store, Settings.model_validate({"sources": SOURCES}))
    )
    request = {
        "clientId": "default" if known else "nobody",
        "messageId": "m1",
        "to": "+15551234567",
        "channel": "sms",
        "body": "x",
    }
    value = orjson.dumps(request)
    first = await replayed(store, dead(value, 0, "messages.requested"))
    await work(intake, partial(asked, most=1 << 20), [first])
    second = await replayed(store, dead(value, 1, "messages.requested"))
    await work(intake, partial(asked, most=1 << 20), [second])
    found = [(await outcome(store, one))[:2] for one in (first, second)]
    assert found == ([("events", 1), ("duplicate", 0)] if known else [("dead", 0), ("dead", 0)])


class Scripted:
    """Stands for a producer: refuses the record `0`, and on the topic of send requests does as `hangs` says until it is healed."""

    def __init__(self, hangs: bool, keys: HourKeys) -> None:
        self.hangs, self.away, self.keys = hangs, True, keys
        self.sent: list[bytes] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def send_and_wait(self, topic: str, value: bytes, headers: Any) -> None:
        if self.away and topic == "messages.requested":
            if self.hangs:
                await asyncio.Event().wait()
            raise OSError("away")
        plain = self.keys.open(value, topic.encode())
        assert plain != value  # sealed, as the door does it
        if plain == b"0":
            raise MessageSizeTooLargeError
        self.sent.append(plain)


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_record_that_kafka_does_not_take_delays_no_other(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """One that is too large is refused. Where a topic gives no answer or an error that may pass, its records stay due, more of
    them than are published at once, the part fails, and those of another topic that were asked for later are published; once
    the topic takes them, they are too."""
    monkeypatch.setattr(replaying, "PATIENCE", 0.2)
    monkeypatch.setattr(replaying, "REST", 600.0)
    for offset in range(25):
        await store.append([], [], [dead(b"away %d" % offset, offset, "messages.requested")])
    await store.replay_dead_letters([row["id"] for row in await store.dead_letters()], "test")
    for offset in range(2):
        await store.append([], [], [dead(b"%d" % offset, offset)])
    ids = [row["id"] for row in await store.dead_letters() if row["topic"] == "events.reported"]
    await store.replay_dead_letters(ids, "test")

    kafka, health = Scripted(hangs, store.hours), WorkerHealth()
    replayer = Replayer(store, lambda: kafka, health)
    running = asyncio.create_task(replayer.run())

    async def due() -> set[str]:
        return {row["topic"] for row in await store.dead_letters() if row["replay_due"]}

    assert await eventually(due, lambda topics: "events.reported" not in topics) == {"messages.requested"}
    assert kafka.sent == [b"1"]
    assert health.parts["housekeeping"].keys() == {"replays"}
    kafka.away = False
    replayer._resting.clear()
    await eventually(due, lambda topics: not topics)
    await eventually(lambda: asyncio.sleep(0, health.parts["housekeeping"]), lambda failing: not failing)
    running.cancel()
    await asyncio.wait([running])
    assert sorted(kafka.sent) == sorted([b"1", *(b"away %d" % offset for offset in range(25))])
    outcomes = {
        row["offset"]: row["outcome"] for row in await store.dead_letters() if row["topic"] == "events.reported"
    }
    assert outcomes == {0: "refused", 1: None}


async def test_a_worker_killed_before_the_commit_of_its_offsets() -> None:
    """By the command line, through Kafka: the outcome is that of the first time, the event is there once, and a record that
    is still bad is a new dead letter that the command names."""
    async with serving() as servers, at_work(servers) as worker:
        async with await EventStore.open(servers.postgres.dsn("service"), SEAL, pool=1) as store:
            await store.append([], [], [dead(cloud_event(), 10_000)])
            (row,) = await store.dead_letters()
            await worker.start(KILLED)
            code, text = await worker.threadline("dead-letters", "replay", str(row["id"]), "--wait", "0")
            assert code == 0 and "no outcome yet" in text
            assert worker.child is not None and await worker.child.wait(60)
            (row,) = await store.dead_letters()
            assert (row["outcome"], row["outcome_events"]) == ("events", 1)
            assert await servers.committed(TopicPartition("events.reported", 0)) in (None, 0)
            await worker.start()
            await servers.post()
            deadline = time.monotonic() + 60
            while len(await store.dead_letters()) < 2:
                assert time.monotonic() < deadline, worker.log
                await asyncio.sleep(0.1)
            bad, row = await store.dead_letters()
            assert (row["outcome"], row["outcome_events"]) == ("events", 1)
            code, text = await worker.threadline("dead-letters", "replay", str(bad["id"]), "--wait", "60")
            again = (await store.dead_letters())[0]
            assert code == 1 and str(again["id"]) in text and "1 failed again" in text
            assert again["replay_of"] == bad["id"]
            assert again["recorded_at"].astimezone(UTC) <= datetime.now(UTC)
