"""Keeping webhooks on a real broker: killed, hung, absent, refusing; nothing that was acknowledged is missing after."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from app.embedded import ports
from app.embedded.kafka import QUICK_JVM, Kafka
from app.kafka.producers import producer_args
from app.settings import Kafka as KafkaSettings
from app.settings import Settings
from tests.conftest import NewTopicFunction
from tests.support.waiting import until
from webhooks.keep import Keep
from webhooks.spool import Spool, Unkeepable, Unkept

TOPIC = "webhooks.received"


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Kafka]:
    """A broker of the test's own, not yet started, to be killed."""
    own = Kafka(tmp_path / "kafka", tmp_path / "kafka.log", jvm=QUICK_JVM, secured=False)
    await own.prepare()
    yield own
    await own.stop()


async def make_topic(bootstrap: str) -> None:
    """The topic, on a broker of the test's own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 4, 1)])
    await admin.close()


@asynccontextmanager
async def keeping(folder: Path, bootstrap: str, topic: str = TOPIC, **more: Any) -> AsyncIterator[Keep]:
    """A started Keep, stopped at the end."""
    arguments = producer_args(Settings(kafka=KafkaSettings(bootstrap=bootstrap)))
    spool = Spool(folder / "spool", more.pop("limit", 64 << 20))
    keep = Keep(lambda: AIOKafkaProducer(**arguments), spool, topic=topic, **more)
    await keep.start()
    try:
        yield keep
    finally:
        await keep.stop()


async def values(bootstrap: str, topic: str = TOPIC) -> list[tuple[bytes, dict[str, bytes]]]:
    """Everything in the topic: values and headers."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found = []
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [(record.value, dict(record.headers)) for record in records]
        return found
    finally:
        await consumer.stop()


async def test_one_batch_for_many(tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction) -> None:
    """Records are in Kafka when their futures resolve, each with its trace context, over several partitions."""
    topic = await new_topic("keep", partitions=4)
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        await asyncio.gather(*(keep.put(b"%d" % n, "00-a-b-01" if n == 3 else None) for n in range(2000)))
        found = await values(kafka_bootstrap, topic)
        assert Counter(value for value, _ in found) == Counter(b"%d" % n for n in range(2000))
        assert [(value, headers) for value, headers in found if headers] == [(b"3", {"traceparent": b"00-a-b-01"})]
        assert (keep.sent, keep.spool.written) == (2000, 0)


async def test_large_records_go_alone(tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction) -> None:
    """A record larger than a batch is sent by itself, between small ones."""
    topic = await new_topic("keep", **{"max.message.bytes": str(2 << 20)})
    sizes = [10, 1 << 20, 20, 600_000, 600_000, 30]
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        await asyncio.gather(*(keep.put(b"x" * size) for size in sizes))
        assert Counter(len(value) for value, _ in await values(kafka_bootstrap, topic)) == Counter(sizes)
        assert keep.spool.written == 0


async def test_stop_finishes(tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction) -> None:
    """What is in progress when it is stopped is kept first."""
    topic = await new_topic("keep", partitions=2)
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        waiting = [keep.put(b"%d" % n) for n in range(100)]
    assert all(future.done() and future.exception() is None for future in waiting)
    assert len(await values(kafka_bootstrap, topic)) == 100


async def test_starts_without_kafka(tmp_path: Path, broker: Kafka) -> None:
    """Without Kafka it starts, and keeps on disk; when Kafka comes, what was spooled goes there, in order."""
    async with keeping(tmp_path, broker.bootstrap, timeout=0.2) as keep:
        assert not keep.reachable
        await asyncio.gather(*(keep.put(b"%d" % n, "00-a-b-01") for n in range(500)))
        assert (keep.spool.records, keep.sent) == (500, 0)
        await broker.start()
        await make_topic(broker.bootstrap)
        await until(lambda: keep.reachable and not keep.spool.records)
        assert (keep.drained, keep.spool.bytes) == (500, 0)
        while not keep.sent:  # on a busy machine one may take longer than the time it has, and be kept on disk
            await keep.put(b"live")
        found = await values(broker.bootstrap)
        assert [value for value, _ in found if value != b"live"] == [b"%d" % n for n in range(500)]
        assert {headers.get("traceparent") for _, headers in found} == {b"00-a-b-01", None}


async def test_drains_what_an_earlier_process_left(
    tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction
) -> None:
    """What a process spooled and could not send, the next one sends when it starts."""
    nobody = f"127.0.0.1:{ports.free()}"
    async with keeping(tmp_path, nobody, timeout=0.1) as keep:
        await asyncio.gather(*(keep.put(b"%d" % n) for n in range(50)))
    topic = await new_topic("keep", partitions=2)
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        await until(lambda: not keep.spool.records)
        assert len(await values(kafka_bootstrap, topic)) == 50


async def test_killed(tmp_path: Path, broker: Kafka) -> None:
    """The broker is killed twice under load: every record that was acknowledged is in the topic afterwards, and while
    it is away records are acknowledged all the same, none of them waiting in the client's memory."""
    await broker.start()
    await make_topic(broker.bootstrap)
    acknowledged: list[bytes] = []
    stop = asyncio.Event()

    async def load(name: int) -> None:
        n = 0
        while not stop.is_set():
            value = b"%d-%d" % (name, n)
            await keep.put(value)
            acknowledged.append(value)
            n += 1
            await asyncio.sleep(0.005)

    def acknowledged_past(count: int) -> bool:
        return len(acknowledged) > count

    async with keeping(tmp_path, broker.bootstrap, timeout=1.0) as keep:
        loads = [asyncio.create_task(load(name)) for name in range(20)]
        for _ in range(2):
            await until(lambda: keep.reachable)
            before = len(acknowledged)
            await until(partial(acknowledged_past, before + 400))
            os.kill(broker.child.pid, signal.SIGKILL)
            await broker.child.wait()
            await until(lambda: not keep.reachable)
            before = len(acknowledged)
            await until(partial(acknowledged_past, before + 400))
            assert keep.spool.records
            assert not keep._pending
            await broker.start()
        await until(lambda: keep.reachable and not keep.spool.records)
        stop.set()
        await asyncio.gather(*loads)
        assert keep.spool.written > 800
    found = Counter(value for value, _ in await values(broker.bootstrap))
    assert set(acknowledged) <= set(found)
    assert len(set(acknowledged)) == len(acknowledged)


async def test_hung(tmp_path: Path, broker: Kafka) -> None:
    """A broker that does not answer makes nobody wait longer than the time it has; when it wakes, it is used again."""
    await broker.start()
    await make_topic(broker.bootstrap)
    async with keeping(tmp_path, broker.bootstrap, timeout=0.3) as keep:
        await keep.put(b"before")
        await until(lambda: keep.reachable and not keep.spool.records)
        earlier = keep.spool.written  # "before" itself, where a busy machine took longer than the time it had
        os.kill(broker.child.pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(3):
                await asyncio.gather(*(keep.put(b"%d" % n) for n in range(200)))
            assert keep.spool.written == earlier + 200
        finally:
            os.kill(broker.child.pid, signal.SIGCONT)
        await until(lambda: keep.reachable and not keep.spool.records)
        await keep.put(b"after")
        found = {value for value, _ in await values(broker.bootstrap)}
        assert found == {b"before", b"after", *(b"%d" % n for n in range(200))}


async def test_noticed_while_nothing_comes(tmp_path: Path, broker: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that goes, or hangs, between two webhooks is known to be away before the next one comes."""
    monkeypatch.setattr("webhooks.keep.QUIET", 0.2)
    monkeypatch.setattr("webhooks.producer.CONNECT", 2.0)
    await broker.start()
    await make_topic(broker.bootstrap)
    async with keeping(tmp_path, broker.bootstrap) as keep:
        await keep.put(b"before")
        await asyncio.sleep(1)  # asked a few times
        assert keep.reachable
        os.kill(broker.child.pid, signal.SIGSTOP)
        try:
            await until(lambda: not keep.reachable)
        finally:
            os.kill(broker.child.pid, signal.SIGCONT)
        await until(lambda: keep.reachable)
        await broker.stop()
        await until(lambda: not keep.reachable)
        assert keep.spool.written == 0


async def test_full(tmp_path: Path) -> None:
    """With Kafka away and the spool full a record is refused, not forgotten."""
    async with keeping(tmp_path, f"127.0.0.1:{ports.free()}", timeout=0.1, limit=10_000) as keep:
        reported = await asyncio.gather(*(keep.put(b"x" * 1000) for _ in range(20)), return_exceptions=True)
        assert Counter(type(each) for each in reported) == {type(None): 9, Unkept: 11}


async def test_a_record_that_kafka_refuses(tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction) -> None:
    """Who brings a record that Kafka will never take hears so; Kafka is not taken for away because of it, and what others
    bring at the same time is kept, in Kafka."""
    topic = await new_topic("keep", partitions=4, **{"max.message.bytes": "5000"})
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        away = 0

        async def others(name: int) -> None:
            nonlocal away
            for n in range(60):
                await keep.put(b"%d-%d" % (name, n))
                away += not keep.reachable

        async def refused() -> None:
            for _ in range(5):
                with pytest.raises(Unkeepable, match="MessageSizeTooLarge"):
                    await keep.put(b"5" * 6000)

        await asyncio.gather(*(others(name) for name in range(8)), refused())
        assert (away, keep.spool.written, keep.spool.aside) == (0, 0, 0)
        found = {value for value, _ in await values(kafka_bootstrap, topic)}
        assert found == {b"%d-%d" % (name, n) for name in range(8) for n in range(60)}


async def test_a_spooled_record_that_kafka_refuses(
    tmp_path: Path, kafka_bootstrap: str, new_topic: NewTopicFunction
) -> None:
    """One that was acknowledged before is put aside where an operator finds it, and its neighbours get through."""
    topic = await new_topic("keep", **{"max.message.bytes": "5000"})
    async with keeping(tmp_path, f"127.0.0.1:{ports.free()}", topic, timeout=0.1) as keep:
        await asyncio.gather(*(keep.put(b"%d" % n * (1 if n != 5 else 6000)) for n in range(10)))
    async with keeping(tmp_path, kafka_bootstrap, topic) as keep:
        await until(lambda: keep.reachable and not keep.spool.records)
        assert (keep.spool.aside, keep.spool.aside_bytes > 6000) == (1, True)
        await keep.put(b"after")
        found = {value for value, _ in await values(kafka_bootstrap, topic)}
        assert found == {*(b"%d" % n for n in range(10) if n != 5), b"after"}
    assert b"5" * 6000 in _aside(tmp_path)


def _aside(folder: Path) -> bytes:
    [file] = folder.glob("spool/*/*.refused")
    return file.read_bytes()
