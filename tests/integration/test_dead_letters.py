"""`threadline dead-letters` on a real database and broker: what an operator sees of what could not be processed, and does."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka import client_args
from app.settings import Kafka
from sql import DeadLetter, EventStore
from tests.conftest import Dsns, NewTopicFunction
from tests.integration.command_line import command, on_store


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, pool=1) as opened:
        yield opened


def letter(topic: str, offset: int, value: bytes | None, source: str = "twilio") -> DeadLetter:
    """One that says why."""
    reason = (
        f"$.data.to: record {offset} has no address for sms, and this reason is longer than a line of 80 characters"
    )
    return DeadLetter(
        topic, 0, offset, reason, None, source, {"path": "$.data.to"}, value=value, size=len(value or b"")
    )


async def records(bootstrap: str, topic: str) -> list[bytes]:
    """What is on the topic's only partition."""
    consumer = AIOKafkaConsumer(**client_args(Kafka(bootstrap=bootstrap)), auto_offset_reset="earliest")
    await consumer.start()
    try:
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        return [(await consumer.getone()).value for _ in range(end)]
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

    all_of_it = await command("dead-letters", "replay", "--source", "twilio", environment=env)
    assert all_of_it.code == 0 and "1 put on their topics again" in all_of_it.err
    assert await records(kafka_bootstrap, topic) == [whole.value]
    again = await command("dead-letters", "replay", "--source", "twilio", environment=env)
    assert again.code == 0 and "There was no dead letter to replay" in again.err
    by_id = await command("dead-letters", "replay", str(rows[8]["id"]), str(rows[9]["id"]), environment=env)
    assert by_id.code == 1 and "record was not kept" in by_id.err
    assert await records(kafka_bootstrap, topic) == [whole.value, b"x"]
    assert "replayed" in (await command("dead-letters", "list", environment=env)).out
    assert str(rows[9]["id"]) not in (await command("dead-letters", "list", "--open", environment=env)).out


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
