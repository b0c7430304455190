"""`threadline dead-letters` on a real database and broker: what an operator sees of what could not be processed, and does."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.health import WorkerHealth
from agents.replaying import Replayer
from app.cli.dead_letters import listing
from app.kafka import client_args
from app.kafka.producers import producer
from app.settings import Kafka, Settings
from sql import DeadLetter, EventStore, dead_letters
from sql.sealed_records import is_sealed
from tests.conftest import Dsns, NewTopicFunction
from tests.integration.command_line import command, on_store
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as opened:
        yield opened


def letter(topic: str, offset: int, value: bytes | None, source: str = "twilio") -> DeadLetter:
    """One that says why."""
    reason = (
        f"$.data.to: record {offset} has no address for sms, and this reason is longer than a line of 80 characters"
    )
    return DeadLetter(
        topic, 0, offset, reason, None, source, {"path": "$.data.to"}, value=value, size=len(value or b"")
    )


async def records(store: EventStore, bootstrap: str, topic: str) -> list[bytes]:
    """What is on the topic's only partition, where all is sealed."""
    consumer = AIOKafkaConsumer(**client_args(Kafka(bootstrap=bootstrap)), auto_offset_reset="earliest")
    await consumer.start()
    try:
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        values = [(await consumer.getone()).value for _ in range(end)]
        assert all(map(is_sealed, values))
        return [store.hours.open(value, topic.encode()) for value in values]
    finally:
        await consumer.stop()


async def test_an_operator_finds_looks_at_and_replays(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction
) -> None:
    """The list has each with its reason within 80 columns, one is shown with its record, and replaying puts the record on
    its topic byte for byte, once."""
    topic = await new_topic("webhooks.received")
    whole = letter(topic, 7, b'{"source": "twilio"}\n\x1b[31mbody \x00\xff')
    stub = letter(topic, 8, None)
    other = letter(topic, 9, b"x", source="sendgrid")
    await store.append([], [], [whole, stub, other])
    env = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_KAFKA__BOOTSTRAP": kafka_bootstrap, "COLUMNS": "80"}
    rows = {row["offset"]: row for row in await store.dead_letters()}
    id = str(rows[7]["id"])

    listed = await command("dead-letters", "list", "--source", "twilio", environment=env)
    assert listed.code == 0 and id in listed.out and str(rows[9]["id"]) not in listed.out
    assert "has no address for sms" in " ".join(listed.out.split()) and "record not kept" in listed.out
    assert max(map(len, listed.out.splitlines())) <= 80
    as_json = json.loads((await command("dead-letters", "list", "--json", environment=env)).out)
    assert {row["offset"] for row in as_json} == {7, 8, 9}

    shown = await command("dead-letters", "show", id, environment=env)
    assert '"$.data.to"' in shown.out and "body" in shown.out
    assert "\x1b" not in shown.out and "\x00" not in shown.out

    all_of_it = await command("dead-letters", "replay", "--source", "twilio", "--wait", "0", environment=env)
    assert all_of_it.code == 0 and "1 replayed: 1 has no outcome yet" in " ".join(all_of_it.err.split())
    await published(store, kafka_bootstrap)
    assert await records(store, kafka_bootstrap, topic) == [whole.value]
    again = await command("dead-letters", "replay", "--source", "twilio", "--wait", "0", environment=env)
    assert again.code == 0 and "There was no dead letter to replay" in again.err
    ids = [str(rows[offset]["id"]) for offset in (7, 8, 9)]
    by_id = await command("dead-letters", "replay", *ids, "--wait", "0", environment=env)
    told = " ".join(by_id.err.split())
    assert by_id.code == 1 and "record was not kept" in told and "--again replays it once more" in told
    await published(store, kafka_bootstrap)
    assert await records(store, kafka_bootstrap, topic) == [whole.value, b"x"]
    lost = await command("dead-letters", "replay", "--source", "sendgrid", "--again", "--wait", "0", environment=env)
    assert "1 replayed" in lost.err
    assert "replayed" in (await command("dead-letters", "list", environment=env)).out
    assert str(rows[9]["id"]) not in (await command("dead-letters", "list", "--open", environment=env)).out


async def published(store: EventStore, bootstrap: str) -> None:
    """Have the worker's part publish what was asked for."""
    settings = Settings(kafka=Kafka(bootstrap=bootstrap))
    replayer = Replayer(store, partial(producer, settings), WorkerHealth())
    running = asyncio.create_task(replayer.run())
    while not running.done() and any(row["replay_due"] for row in await store.dead_letters()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    while not running.done():  # the pool swallows a cancellation that meets the connection it waits for
        running.cancel()
        await asyncio.wait([running], timeout=0.05)
    assert running.cancelled()


async def test_groups_fit_a_terminal(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """With their counts and one example, within 80 columns; --json has the same."""
    env = on_store(postgres_dsn.service, tmp_path) | {"COLUMNS": "80"}
    await store.append([], [], [letter("webhooks.received", n, b"x") for n in range(3)])
    listed = await command("dead-letters", "list", "--group", "--since", "1h", environment=env)
    assert listed.out.startswith("3 of twilio, webhooks.received\n") and "record # has no address" in listed.out
    assert max(map(len, listed.out.splitlines())) <= 80
    (group,) = json.loads((await command("dead-letters", "list", "--group", "--json", environment=env)).out)
    assert group["letters"] == 3 and group["example"] in listed.out
    assert (await command("dead-letters", "list", "--since", "soon", environment=env)).code == 2


async def test_groups_of_the_latest_say_so(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more dead letters may pass the filter than are looked at, the command says that it shows the latest."""
    env = on_store(postgres_dsn.service, tmp_path)
    await store.append([], [], [letter("webhooks.received", n, b"x") for n in range(4)])
    assert "the latest" not in (await command("dead-letters", "list", "--group", environment=env)).err
    for module in (dead_letters, listing):
        monkeypatch.setattr(module, "GROUPED", 3)
    listed = await command("dead-letters", "list", "--group", environment=env)
    assert "the latest 3 dead letters in 1 group." in listed.err


async def test_discarding_asks_and_says_why(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Several only after a yes; each with its reason in the list; one that was handled is none to discard."""
    env = on_store(postgres_dsn.service, tmp_path)
    await store.append([], [], [letter("webhooks.received", n, b"x") for n in range(3)])
    discard = ("dead-letters", "discard", "--source", "twilio", "--reason", "test traffic")
    assert (await command(*discard[:-2], environment=env)).code == 2
    for answer in (b"", b"n\n"):
        asked = await command(*discard, given=answer, environment=env)
        assert (
            asked.code == 1 and "3 dead letters will be discarded" in asked.err and "Nothing was discarded" in asked.err
        )
    one = str((await store.dead_letters())[0]["id"])
    assert "1 discarded" in (await command("dead-letters", "discard", one, "--reason", "a test", environment=env)).err
    done = await command(*discard, "--remove-record", given=b"y\n", environment=env)
    assert done.code == 0 and "2 discarded" in done.err
    again = await command("dead-letters", "discard", one, "--reason", "a test", environment=env)
    assert again.code == 1 and "replayed or discarded before" in again.err
    listed = (await command("dead-letters", "list", "--handled", environment=env)).out
    assert listed.count("test traffic") == 2 and listed.count("record removed") == 2
    assert "was discarded" in (await command("dead-letters", "replay", one, environment=env)).err


async def test_mistakes_are_said(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """An id that is none, one of no letter, and a replay of nothing in particular change nothing and say what to do."""
    env = on_store(postgres_dsn.service, tmp_path)
    assert (await command("dead-letters", "show", "mine", environment=env)).code == 2
    missing = await command("dead-letters", "show", str(uuid4()), environment=env)
    assert missing.code == 1 and "dead-letters list" in missing.err
    aimless = await command("dead-letters", "replay", environment=env)
    assert aimless.code == 2 and "--source" in aimless.err
    assert "no dead letters" in (await command("dead-letters", "list", environment=env)).out


async def test_the_doctor_names_what_waits(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Five bad webhooks are seen by whoever asks whether all is well, by their source."""
    await store.append([], [], [letter("webhooks.received", n, b"x") for n in range(5)])
    reported = (await command("doctor", environment=on_store(postgres_dsn.service, tmp_path))).out
    assert "twilio 5" in reported and "threadline dead-letters list" in reported
