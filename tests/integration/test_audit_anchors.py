"""The worker's part in the audit on real servers: it seals, and anchors in a file, at an endpoint and on a topic."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import SecretStr

from agents.auditing.anchoring import Anchoring, NotTaken, append
from agents.health import WorkerHealth
from agents.process.parts import keep_audit
from agents.transport import Transport
from app.auditing.anchors import Anchor, anchor_of, new_key, private_key
from app.settings import Audit, Kafka, Settings
from sql import EventStore
from tests.conftest import Dsns, NewTopicFunction
from tests.integration.auditing import AT_ONCE, found, owner, write
from tests.integration.callbacks import Receiver, receiving
from tests.support.keys import SEAL
from tests.support.waiting import eventually

KEY = new_key()
PUBLIC = [private_key(KEY).public_key()]


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store with one sealed batch of three entries."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        await write(opened, 3)
        await opened.seal_audit(AT_ONCE)
        yield opened


@asynccontextmanager
async def anchoring(store: EventStore, kafka: str | None = None, **more: Any) -> AsyncIterator[Anchoring]:
    """The anchors of a worker with these settings of the audit."""
    settings = Settings(audit=Audit(key=SecretStr(KEY), **more), kafka=Kafka(bootstrap=kafka))
    transport = Transport(timeout=5)
    try:
        yield Anchoring(store, WorkerHealth(), settings, transport)
    finally:
        await transport.close()


async def test_a_file_gets_one_anchor_at_a_time(store: EventStore, tmp_path: Path) -> None:
    """Of two workers one appends; no more before it is time again. The anchor is the one of the last batch."""
    file = tmp_path / "anchors"
    async with anchoring(store, anchor_file=file) as one, anchoring(store, anchor_file=file) as other:
        assert sum(await asyncio.gather(one.anchor("file"), other.anchor("file"))) == 1
        assert not await one.anchor("file")
    (line,) = file.read_bytes().splitlines()
    anchor, head = anchor_of(line, PUBLIC), await store.audit_head()
    assert head is not None and (anchor.batch, anchor.head, anchor.entries) == (1, bytes(head["head"]), 3)
    assert await found(store, [anchor]) == []


async def test_each_anchor_is_a_line_of_its_own(store: EventStore, tmp_path: Path) -> None:
    """Also after one whose line was cut off, by a full disk for example."""
    file = tmp_path / "anchors"
    anchor = Anchor(1, bytes(32), 1, datetime(2026, 2, 3, tzinfo=UTC))
    await append(file, anchor, b"one")
    await append(file, anchor, b"two")
    file.write_bytes(file.read_bytes() + b"thr")
    await append(file, anchor, b"four")
    assert file.read_bytes() == b"one\ntwo\nthr\nfour\n"


async def test_an_endpoint_gets_signed_anchors(store: EventStore) -> None:
    """The body is the anchor; its headers are those of Standard Webhooks, signed with the same key."""
    async with receiving(Receiver()) as receiver, anchoring(store, anchor_url=receiver.url) as one:
        assert await one.anchor("http")
        (posted,) = receiver.posted
    assert anchor_of(posted.body, PUBLIC).batch == 1
    content = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    signature = posted.headers["webhook-signature"].removeprefix("v1a,")
    public: Ed25519PublicKey = PUBLIC[0]
    public.verify(base64.b64decode(signature), content)


async def test_of_two_workers_one_posts_and_publishes(
    store: EventStore, kafka_bootstrap: str, new_topic: NewTopicFunction
) -> None:
    """At once, to an endpoint and to a topic; no more before it is time again."""
    topic = await new_topic("audit.anchors.two")
    async with receiving(Receiver()) as receiver:
        more: dict[str, Any] = {"anchor_url": receiver.url, "anchor_topic": topic}
        async with anchoring(store, kafka_bootstrap, **more) as one, anchoring(store, kafka_bootstrap, **more) as other:
            for sink in ("http", "kafka"):
                assert sum(await asyncio.gather(*(each.anchor(sink) for each in (one, other, one, other)))) == 1
                assert not await other.anchor(sink)
        assert len(receiver.posted) == 1
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        assert sum(map(len, (await consumer.getmany(timeout_ms=3000)).values())) == 1
        assert not await consumer.getmany(timeout_ms=1000)
    finally:
        await consumer.stop()


async def test_an_endpoint_that_refuses_took_no_anchor(store: EventStore) -> None:
    """It is asked again, and its age grows meanwhile."""
    async with (
        receiving(Receiver("503 Service Unavailable")) as receiver,
        anchoring(store, anchor_url=receiver.url) as one,
    ):
        with pytest.raises(NotTaken, match="503"):
            await one.anchor("http")
        assert (await store.audit_state(["http"]))[1] == {}
        receiver.answer = "200 OK"
        assert await one.anchor("http")
        assert list((await store.audit_state(["http", "file"]))[1]) == ["http"]


async def test_a_topic_gets_anchors(store: EventStore, kafka_bootstrap: str, new_topic: NewTopicFunction) -> None:
    """Keyed by the batch."""
    topic = await new_topic("audit.anchors")
    async with anchoring(store, kafka_bootstrap, anchor_topic=topic) as one:
        assert await one.anchor("kafka")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 30)
    finally:
        await consumer.stop()
    assert record.key == b"1" and anchor_of(record.value, PUBLIC).entries == 3


async def test_a_worker_seals_anchors_and_measures(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """By itself, one sink failing and the other not; the metrics have the ages, and the failing sink shows in its part."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        await write(store, 2)
        health, file = WorkerHealth(), tmp_path / "anchors"
        audit = Audit(
            key=SecretStr(KEY), anchor_file=file, anchor_url="http://127.0.0.1:1/", seal_every=1, anchor_every=10
        )
        running = asyncio.create_task(keep_audit(store, health, Settings(audit=audit)))
        try:

            async def anchored() -> bool:
                return file.exists() and bool(health.parts["audit"].get("anchor http"))

            await eventually(anchored, within=40)
            await eventually(lambda: store.audit_state(["file"]), lambda state: state[1])
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert orjson.loads(file.read_bytes().splitlines()[0])["entries"] == 2
        assert list(health.parts["audit"]) == ["anchor http"]
        metrics = {metric.name: metric for metric in health.collect()}
        assert metrics["threadline_audit_unsealed_seconds"].samples[0].value == 0
        sinks = [sample.labels["sink"] for sample in metrics["threadline_audit_anchor_seconds"].samples]
        assert sinks == ["file", "http"]


async def test_where_nothing_is_sealed_no_anchor_is_due(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Nor is its age one to be alarmed by."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        async with anchoring(store, anchor_file=tmp_path / "anchors") as one:
            assert not await one.anchor("file")
        assert await store.audit_state(["file"]) == (0, {"file": 0})


async def test_the_age_of_unsealed_entries_is_measured(store: EventStore, postgres_dsn: Dsns) -> None:
    """An operator is alarmed before nobody has sealed for an hour."""
    assert (await store.audit_state([]))[0] == 0
    await write(store, 1)
    await owner(postgres_dsn, "UPDATE threadline.audit SET at = at - interval '1 hour' WHERE position = 4")
    assert 3600 <= (await store.audit_state([]))[0] < 7200
    assert await store.seal_audit(timedelta(minutes=30)) == 1
