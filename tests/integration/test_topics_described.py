"""What a running system has on each Kafka topic is what the AsyncAPI document that it serves says."""

import asyncio
import os
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from jsonschema import ValidationError

from app.api.asyncapi.bundle import document
from app.kafka import client_args
from app.kafka.topics import TOPICS
from schemas.events import CHANNELS
from sql import EventStore
from tests.conftest import PREFIX
from tests.support import traffic
from tests.support.asyncapi import Described
from tests.support.keys import SEAL
from tests.support.stack import Stack
from tests.support.waiting import eventually

#: The relay only writes it, so nothing can be wrong with its records.
NEVER_WRITTEN = "events.recorded.dlq"
#: The key of records that are put on a topic to become dead letters.
WRONG = b"wrong"
REQUESTS = ("messages.requested", *(f"messages.requested.{channel}" for channel in CHANNELS))
SENDING = {"account_sid": "AC" + "0" * 32, "sender": "+15550001111", "api_url": "http://127.0.0.1:9"}


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[Stack]:
    """A whole Threadline, which can send SMS, though to a provider that does not answer."""
    sources = traffic.SOURCES | {"twilio": traffic.SOURCES["twilio"] | SENDING}
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as name:
        os.chmod(name, 0o711)  # PostgreSQL does not run as root
        async with Stack(Path(name) / "stack", sources, kafka={"partitions": 1}) as running:
            running.folder.chmod(0o711)
            await asyncio.gather(running.start("serve"), running.start("work"))
            yield running


async def test_real_records_of_every_topic_are_as_described(stack: Stack) -> None:
    """Webhooks, reports and requests, good and bad, put a record on every topic that may have one. Each fits its message; the
    bad ones do not. The examples of the document are among the good ones: they are taken as they are."""
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as client:
        described = Described((await client.get("/asyncapi.json")).json())
        await post(client)
    assert described.document == document()
    await put(stack, described)
    expected = {topic.name for topic in TOPICS} - {NEVER_WRITTEN}
    async with AIOKafkaConsumer(
        **client_args(stack.settings.kafka), auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        consumer.assign([TopicPartition(topic.name, 0) for topic in TOPICS])
        found: dict[str, list[Any]] = defaultdict(list)

        async def missing() -> set[str]:
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                found[partition.topic] += records
            recorded = {orjson.loads(record.value)["type"] for record in found["events.recorded"]}
            return (expected - found.keys()) | (
                {"message.received", "message.delivered", "message.requested"} - recorded
            )

        await eventually(missing, lambda names: not names, within=60)
    assert found.keys() == expected
    async with await EventStore.open(stack.dsn("service"), SEAL, pool=1) as store:
        await store.keys_for([record.value for records in found.values() for record in records])
        for topic, records in found.items():
            for record in records:
                record.value = store.hours.open(record.value, topic.encode())
    for topic, records in found.items():
        for record in records:
            if record.key == WRONG:
                with pytest.raises((ValidationError, KeyError)):
                    described.check(topic, record.value, dict(record.headers))
            else:
                described.check(topic, record.value, dict(record.headers))
    assert all(record.key for record in found["events.recorded"])
    reasons = [dict(record.headers)["reason"] for record in found["messages.requested.sms.dlq"]]
    assert reasons == [b"$.to: is required"]


async def post(client: httpx.AsyncClient) -> None:
    """Post a message of a customer's, and a webhook one of whose two items no adapter can read."""
    form = {"AccountSid": SENDING["account_sid"], "MessageSid": "SM1", "From": "+15551234567", "To": "+15550001111"}
    events: list[Any] = ["no event", {"event": "delivered", "sg_message_id": "m2"}]
    for posted in (
        traffic.twilio(form | {"SmsStatus": "received", "Body": "Where is my order?"}),
        traffic.sendgrid(events),
    ):
        answer = await client.post("/webhooks/aggregate", headers=posted.headers, content=posted.body)
        assert answer.status_code in (200, 202, 204), answer.text


async def put(stack: Stack, described: Described) -> None:
    """Put the examples of the document, and one bad record, on each topic that services write."""
    async with AIOKafkaProducer(**client_args(stack.settings.kafka), acks="all") as producer:
        for topic in ("events.reported", *REQUESTS):
            for message in described.messages(topic):
                example = dict(message["examples"][0]["payload"])
                channel = topic.rpartition(".")[2]
                if topic in REQUESTS:
                    example |= {"messageId": topic, "channel": channel if channel in CHANNELS else "sms"}
                else:
                    example["id"] = message["name"]
                await producer.send_and_wait(topic, orjson.dumps(example))
            bad = {"clientId": "default", "body": "x"} if topic in REQUESTS else {"specversion": "1.0", "id": "wrong"}
            await producer.send_and_wait(topic, orjson.dumps(bad), key=WRONG)
