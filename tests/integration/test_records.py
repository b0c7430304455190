"""Hostile records between canaries, on real Kafka and PostgreSQL, with a real worker at its default settings.

Each canary must get through, each hostile record be accounted for, and the worker be the same process afterwards.
"""

import asyncio
import gzip
import struct
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from agents import TOPICS
from app.kafka import client_args
from app.kafka.topics import max_letter, max_record
from sql import EventStore
from sql.sealed_records import is_sealed
from tests.support import traffic
from tests.support.keys import SEAL
from tests.support.links import digests
from tests.support.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
#: Seconds that a record may take, on a machine that does much else.
WITHIN = 60.0
REQUESTED = "messages.requested"


class Worker:
    """A running worker, and a producer beside it."""

    def __init__(self, stack: Stack, store: EventStore) -> None:
        self.stack, self.store = stack, store
        self.pid = stack.children["work"].pid

    async def put(self, topic: str, value: bytes | None, *, codec: str | None = None, **more: Any) -> int:
        """Put one record on the topic's first partition, past every check of ours; its offset."""
        limits = {"max_request_size": 1 << 24, "compression_type": codec}
        async with AIOKafkaProducer(**client_args(self.stack.settings.kafka), **limits) as producer:
            if value is None:
                more.setdefault("key", b"k")
            return int((await producer.send_and_wait(topic, value, partition=0, **more)).offset)

    async def put_raw(self, topic: str, batch: bytes) -> int:
        """Put a record batch as it is on the topic's first partition; the offset of its first record."""
        async with AIOKafkaProducer(**client_args(self.stack.settings.kafka)) as producer:
            made = producer.create_batch()
            made.append(timestamp=None, key=None, value=b"")
            made.close()
            made._buffer = bytearray(batch)
            return int((await (await producer.send_batch(made, topic, partition=0))).offset)

    async def canary(self, topic: str) -> None:
        """A healthy record is dealt with."""
        name = uuid4().hex
        offset = await self.put(topic, healthy(topic, name))
        if topic.startswith(REQUESTED):
            (row,) = await eventually(lambda: self.letters(topic, offset), bool, WITHIN)
            assert "no client" in row["reason"]
        else:
            await self.event(name)
        assert self.stack.children["work"].alive and self.stack.children["work"].pid == self.pid

    async def event(self, name: str) -> None:
        """Wait for the event of a healthy record."""
        query = "SELECT type FROM threadline.events WHERE ARRAY[source_event_id, provider_message_id] && %s"

        async def logged() -> list[dict[str, Any]]:
            return await self.rows(query, list(await digests(self.stack.postgres.dsn("superuser"), [name])))

        await eventually(logged, bool, WITHIN)

    async def letters(self, topic: str, offset: int) -> list[dict[str, Any]]:
        """The dead letters of a record, opened."""
        ids = await self.rows(
            'SELECT id FROM threadline.dead_letters WHERE topic = %s AND "offset" = %s', topic, offset
        )
        found = [await self.store.dead_letter(row["id"]) for row in ids]
        return [row for row in found if row is not None]

    async def rows(self, query: str, *given: Any) -> list[dict[str, Any]]:
        """What a query gives."""
        dsn = self.stack.postgres.dsn("superuser")
        async with await psycopg.AsyncConnection.connect(dsn, row_factory=psycopg.rows.dict_row) as db:
            return await (await db.execute(query, given)).fetchall()

    async def published(self, topic: str, offset: int) -> list[Any]:
        """The records of the topic's dead letter topic that are about this one, opened."""
        tp = TopicPartition(f"{topic}.dlq", 0)
        async with AIOKafkaConsumer(**client_args(self.stack.settings.kafka), auto_offset_reset="earliest") as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            found = []
            while await consumer.position(tp) < end:
                for batch in (await consumer.getmany(timeout_ms=1000)).values():
                    found += [one for one in batch if dict(one.headers)["offset"] == str(offset).encode()]
        await self.store.keys_for([one.value for one in found])
        for one in found:
            assert not one.value or is_sealed(one.value)
            one.value = self.store.hours.open(one.value, tp.topic.encode())
        return found


def healthy(topic: str, name: str) -> bytes:
    """A record of the topic that nothing is wrong with, but that no client of a request is configured."""
    if topic == "webhooks.received":
        return webhook(
            "twilio", f"MessageSid={name}&MessageStatus=sent&To=%2B15550000001&From=%2B15550000002".encode(), FORM
        )
    if topic == "events.reported":
        data = {"userId": "u1", "channel": "chat", "content": {"text": "hi"}}
        return orjson.dumps(
            {"specversion": "1.0", "id": name, "source": "/t", "type": "message.received", "data": data}
        )
    return orjson.dumps({"clientId": f"c{name}", "messageId": name, "to": "+15551234567", "body": "hi"})


FORM, PLAIN = "application/x-www-form-urlencoded", "application/json"


def webhook(adapter: str, body: bytes, kind: str = PLAIN, **change: Any) -> bytes:
    """A record of `webhooks.received`."""
    head = {
        "id": str(uuid4()), "source": adapter, "adapter": adapter, "client": "default", "method": "POST", "url": traffic.URL,
        "headers": {"content-type": kind}, "receivedAt": "2026-11-21T12:00:00Z", "authentic": True,
    } | change  # fmt: skip
    return orjson.dumps(head) + b"\n" + body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(servers_folder: Path) -> AsyncIterator[Worker]:
    """One worker for all of them: what one record leaves behind meets the next."""
    async with Stack(servers_folder / "records", kafka={"partitions": 1}) as stack:
        await stack.start("work")
        async with await EventStore.open(stack.dsn("service"), SEAL, pool=1) as store:
            yield Worker(stack, store)


async def accounted(worker: Worker, topic: str, offset: int) -> Any:
    """The one dead letter of a record, once it is stored and published."""
    (letter,) = await eventually(lambda: worker.letters(topic, offset), bool, WITHIN)
    (record,) = await eventually(lambda: worker.published(topic, offset), bool, WITHIN)
    return letter, record


@pytest.mark.parametrize("topic", ["webhooks.received", "events.reported", REQUESTED, f"{REQUESTED}.sms"])
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_is_read(worker: Worker, topic: str, codec: str) -> None:
    """A record compressed by any of Kafka's codecs is read as it was written."""
    name = uuid4().hex
    offset = await worker.put(topic, healthy(topic, name), codec=codec)
    if topic.startswith(REQUESTED):
        (letter,) = await eventually(lambda: worker.letters(topic, offset), bool, WITHIN)
        assert letter["value"] == healthy(topic, name)
    else:
        await worker.event(name)


ODD: dict[str, dict[str, Any]] = {
    "no value": {"value": None},
    "no bytes": {"value": b""},
    "no text": {"value": b"\xff\x00\xfe" * 100},
    "a key": {"key": b"\xff\x00" * 10_000, "value": b"{}"},
    "long ago": {"timestamp_ms": -(10**17), "value": b"{}"},
    "null traceparent": {"headers": [("traceparent", None)], "value": b"{}"},
    "odd headers": {
        "headers": [("traceparent", b"\xff"), ("é\x00\U0001f600", b"\xff\x00"), ("", None)],
        "value": b"{}",
    },
    "many headers": {"headers": [("h", b"x")] * 20_000, "value": b"{}"},
    "deep": {"value": b"[" * 100_000},
    "wide": {"value": b'{"a":' + b"[" + b"{}," * 300_000 + b"{}]}"},
}


@pytest.mark.parametrize("topic", ["webhooks.received", "events.reported", REQUESTED])
@pytest.mark.parametrize("name", ODD)
async def test_an_odd_record_is_a_dead_letter_between_canaries(worker: Worker, topic: str, name: str) -> None:
    """Whatever its key, headers and time."""
    await worker.canary(topic)
    offset = await worker.put(topic, **ODD[name])
    await worker.canary(topic)
    letter, record = await accounted(worker, topic, offset)
    value = ODD[name]["value"]
    assert letter["value"] == value
    assert record.value == (value or b"")
    assert dict(record.headers)["reason"].decode() == letter["general"]
    sealed = b64decode(dict(record.headers)["sealed"])
    await worker.store.keys_for([sealed])  # the worker's, which may be newer than what this store has read
    assert orjson.loads(worker.store.hours.open(sealed, b"%s.dlq headers" % topic.encode())) == {
        "reason": letter["reason"]
    }


@pytest.mark.parametrize("topic", ["webhooks.received", "events.reported", REQUESTED])
@pytest.mark.parametrize("short", [300_000, 50, 0], ids=["large", "nearly the largest", "beyond the producer's"])
async def test_a_record_of_any_size_that_the_topic_takes(worker: Worker, topic: str, short: int) -> None:
    """As large as the topic lets it be, and nothing that can be understood: kept whole, and published whole, as the topic of
    dead letters has room for it."""
    largest = max_record(worker.stack.settings)
    await worker.canary(topic)
    value = b"\xff" * (largest - 100 - short)
    offset = await worker.put(topic, value)
    await worker.canary(topic)
    letter, record = await accounted(worker, topic, offset)
    assert (letter["value"], record.value) == (value, value)
    assert "stub" not in dict(record.headers)


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
async def test_a_record_that_unpacks_to_more_than_a_topic_takes(worker: Worker, codec: str) -> None:
    """A service may compress what would not fit as it is; its dead letter does not fit either, and is a stub."""
    size = 4 * max_letter(worker.stack.settings)
    await worker.canary("events.reported")
    offset = await worker.put("events.reported", b" " * size, codec=codec)
    await worker.canary("events.reported")
    letter, record = await accounted(worker, "events.reported", offset)
    assert (letter["value"], letter["size"], record.value) == (None, size, b"")
    assert (dict(record.headers)["stub"], dict(record.headers)["size"]) == (b"true", str(size).encode())
    assert dict(record.headers)["digest"].decode() == letter["digest"]


async def test_a_list_of_bad_items_is_one_dead_letter(worker: Worker) -> None:
    """6 kB that would make 3,000 letters of 6 kB each make one, which says so."""
    await worker.canary("webhooks.received")
    value = webhook("envelope", b"[" + b",".join([b"{}"] * 3000) + b"]")
    offset = await worker.put("webhooks.received", value)
    await worker.canary("webhooks.received")
    letter, record = await accounted(worker, "webhooks.received", offset)
    assert (letter["value"], record.value) == (value, value)
    assert (letter["bad"], len(letter["items"])) == (3000, 20)
    assert dict(record.headers)["bad"] == b"3000"


def mandrill(id: str) -> bytes:
    """A form whose JSON has NUL, escaped twice."""
    reported = [{"event": "hard_bounce", "_id": id, "ts": 1795000000, "msg": {"_id": id, "email": "ana@example.com"}}]
    return f"mandrill_events={quote(orjson.dumps(reported).decode())}".encode()


HOSTILE: dict[str, tuple[str, bytes]] = {
    "source is a number": ("webhooks.received", webhook("twilio", b"MessageSid=SM1&MessageStatus=sent", FORM, source=5)),
    "received in the year 0": ("webhooks.received", webhook("twilio", b"x", receivedAt="0000-01-01T00:00:00Z")),
    "received before the year 1": ("webhooks.received", webhook("twilio", b"MessageSid=SM1&MessageStatus=sent", FORM, receivedAt="0001-01-01T00:00:00+14:00")),
    "a client of 1 MB": ("webhooks.received", webhook("twilio", b"MessageSid=SM1&MessageStatus=sent", FORM, client="c" * 1_000_000)),
    "an envelope of 60,000 keys": ("webhooks.received", webhook("envelope", orjson.dumps({"source": "twilio", "eventType": "message.delivered", "data": {"messageId": 5} | {f"k{n}": "x" for n in range(60_000)}}))),
    "NUL, escaped twice": ("webhooks.received", webhook("mandrill", mandrill("a\x00b"), FORM)),
    "an unknown report for 1,100 recipients": ("webhooks.received", webhook("sinch", orjson.dumps({"type": "delivery_report_sms", "batch_id": "b1", "padding": "x" * 900_000, "statuses": [{"code": 1, "status": "Odd", "count": 1100, "recipients": [f"1555{n:07d}" for n in range(1100)]}]}))),
    "an error of 900 kB of control characters": ("webhooks.received", webhook("twilio", b"MessageSid=SMx&MessageStatus=failed&To=%2B15550000001&From=%2B15550000002&ErrorCode=1&ErrorMessage=" + b"\x01" * 900_000, FORM)),
    "a reported text of 900 kB of control characters": ("events.reported", orjson.dumps({"specversion": "1.0", "id": "t1", "source": "/t", "type": "message.received", "data": {"userId": "u", "channel": "chat", "content": {"text": "x" * 60_000}, "mood": "\x01" * 150_000}})),
    "a client and a message of wide characters": ("events.reported", orjson.dumps({"specversion": "1.0", "id": "w1", "source": "/t", "clientid": "\U0001f600" * 250, "type": "message.delivered", "data": {"messageId": "\U0001f600" * 500, "userId": "u"}})),
    "numbers that unfold": ("events.reported", orjson.dumps({"specversion": "1.0", "id": "n1", "source": "/t", "type": "message.received", "data": {"userId": "u", "channel": "chat", "content": {"text": "x"}, "list": "l", "odd": [1e300] * 150_000}})),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_content_between_canaries(worker: Worker, name: str) -> None:
    """It becomes events or one dead letter, and what comes after it is on its way within the minute, also by the relay."""
    topic, value = HOSTILE[name]
    await worker.canary(topic)
    offset = await worker.put(topic, value)
    await worker.canary(topic)
    assert len(await worker.letters(topic, offset)) <= 1

    async def relayed() -> bool:
        (row,) = await worker.rows(
            "SELECT (SELECT max(xid) FROM threadline.events) <= c.xid AS done FROM threadline.relay_cursor AS c"
        )
        return bool(row["done"])

    await eventually(relayed, bool, WITHIN)


async def test_many_large_records_at_once(worker: Worker) -> None:
    """64 MB of unreadable records and of readable ones, which one statement would not bear: all are dealt with."""
    topic = "webhooks.received"
    readable = webhook("twilio", b"MessageSid=SMbig&MessageStatus=sent&To=%2B15550000001&Pad=" + b"x" * 1_000_000, FORM)
    limits = {"max_request_size": 1 << 24, "max_batch_size": max_record(worker.stack.settings) - 1000}
    async with AIOKafkaProducer(**client_args(worker.stack.settings.kafka), **limits) as producer:
        sent = [await producer.send(topic, (b"\xff" * 1_000_000, readable)[n % 2], partition=0) for n in range(64)]
        offsets = [record.offset for record in await asyncio.gather(*sent)]
    await worker.canary(topic)
    query = 'SELECT count(*) AS n FROM threadline.dead_letters WHERE topic = %s AND "offset" = ANY (%s)'
    (row,) = await worker.rows(query, topic, offsets)
    assert row["n"] == 32


@pytest.mark.parametrize("damage", ["gzip with more after its end", "a header's name"])
async def test_a_batch_that_cannot_be_unpacked_is_a_dead_letter(worker: Worker, damage: str) -> None:
    """Brokers take batches that aiokafka cannot read. One stops nobody, and is accounted for."""
    topic = "events.reported"
    await worker.canary(topic)
    offset = await worker.put_raw(topic, damaged(damage))
    await worker.canary(topic)
    (row,) = await eventually(lambda: worker.letters(topic, offset + 2), bool, WITHIN)
    assert f"to {offset + 2} cannot be unpacked" in row["reason"] and row["value"] is None


def damaged(how: str) -> bytes:
    """A record batch of three records (https://kafka.apache.org/documentation/#recordbatch), damaged, with its sum right."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 16)
    for number in range(3):
        assert builder.append(
            number, 1_700_000_000_000, b"k", healthy("events.reported", uuid4().hex), [("name", b"v")]
        )
    batch = bytearray(builder.build())
    if how == "a header's name":
        batch = batch.replace(b"name", b"\xff\xfe\xfd\xfc", 1)
    else:
        batch[61:] = gzip.compress(bytes(batch[61:])) + b"JUNK"
        struct.pack_into(">i", batch, 8, len(batch) - 12)
        struct.pack_into(">h", batch, 21, 1)
    struct.pack_into(">I", batch, 17, calc_crc32c(bytes(batch[21:])))
    return bytes(batch)


async def test_all_is_accounted_for(worker: Worker) -> None:
    """Every record before was committed, and the same worker has done it."""
    assert worker.stack.children["work"].pid == worker.pid
    assert set(TOPICS) >= {"webhooks.received", "events.reported", REQUESTED}
    log = (worker.stack.folder / "work.log").read_text()
    assert "cannot go on" not in log and "15551234567" not in log
