"""The fast reader against real Kafka: every record is handed on, and nothing is committed before it is done."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from faust.types import TP

from agents.batches import batches
from agents.consumer import BatchConsumer, BatchTransport, RecordBatch
from tests.support.waiting import eventually, until

PARTITIONS = 4


async def make_topic(bootstrap: str) -> str:
    topic = f"batches-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, values: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    await producer.start()
    sent = [await producer.send(topic, b"%d" % n, partition=n % PARTITIONS) for n in values]
    await asyncio.gather(*sent)
    await producer.stop()


async def committed(bootstrap: str, group: str) -> dict[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    offsets = await admin.list_consumer_group_offsets(group)
    await admin.close()
    return {tp.partition: meta.offset for tp, meta in offsets.items()}


class Reader:
    """One worker that counts what it reads. While `hold` is clear it keeps its batches in `waiting`, unacknowledged."""

    def __init__(self, bootstrap: str, topic: str, group: str, datadir: Path, seen: Counter[int], fast: bool) -> None:
        self.app = faust.App(
            group, broker=f"kafka://{bootstrap}", consumer_auto_offset_reset="earliest", topic_allow_declare=False,
            topic_disable_leader=True, store="memory://", autodiscover=False, web_enabled=False,
            datadir=datadir / uuid.uuid4().hex, broker_commit_interval=0.2, broker_session_timeout=10,
            broker_heartbeat_interval=1, stream_buffer_maxsize=16 if fast else 4096,
        )  # fmt: skip
        if fast:
            self.app.transport = BatchTransport(self.app.conf.broker_consumer, self.app)
        self.hold = asyncio.Event()
        self.hold.set()
        self.waiting: list[Any] = []

        async def read(stream: Any) -> None:
            async for batch in batches(stream, 50):
                await asyncio.sleep(random.random() / 200)
                if self.hold.is_set():
                    batch.ack()
                else:
                    self.waiting.append(batch)
                # Last: a test that has seen all records finds all batches dealt with, or in `waiting`.
                seen.update(int(record.value) for record in batch.records)

        self.app.agent(self.app.topic(topic, value_serializer="raw", key_serializer="raw"), name="read")(read)


@asynccontextmanager
async def running(reader: Reader) -> AsyncIterator[Reader]:
    """The worker at work. It is stopped however the test ends: one that is left over begins again whenever its loop
    cancels it, and the loop would wait for it for ever."""
    await reader.app.start()
    try:
        yield reader
    finally:
        async with asyncio.timeout(60):
            await reader.app.stop()


@pytest_asyncio.fixture
async def gathering(
    kafka_bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Reader, str, Counter[int]]]:
    """A worker at work whose records gather for as long as those before them are not stored; its topic, and what it has read."""
    monkeypatch.setattr("agents.consumer.LINGER", 600.0)
    topic, seen = await make_topic(kafka_bootstrap), Counter[int]()
    async with running(Reader(kafka_bootstrap, topic, uuid.uuid4().hex, tmp_path, seen, fast=True)) as reader:
        yield reader, topic, seen


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "stock"])
async def test_every_record_once_and_committed(kafka_bootstrap: str, tmp_path: Path, fast: bool) -> None:
    """Without faults each record is read once, and the committed offsets reach the end."""
    topic, group, seen = await make_topic(kafka_bootstrap), uuid.uuid4().hex, Counter[int]()
    await produce(kafka_bootstrap, topic, range(2000))
    async with running(Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast)):
        await until(lambda: len(seen) == 2000)
        await eventually(
            lambda: committed(kafka_bootstrap, group), lambda found: found == dict.fromkeys(range(PARTITIONS), 500)
        )

    assert set(seen.values()) == {1}


async def test_nothing_is_committed_past_a_run_in_progress(kafka_bootstrap: str, tmp_path: Path) -> None:
    """A later run that is done first does not move the committed offset over an earlier one that is not."""
    topic, group, seen = await make_topic(kafka_bootstrap), uuid.uuid4().hex, Counter[int]()
    reader = Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast=True)
    reader.hold.clear()
    async with running(reader):
        await produce(kafka_bootstrap, topic, range(400))
        await until(lambda: len(seen) == 400)
        await produce(kafka_bootstrap, topic, range(400, 800))
        await until(lambda: len(seen) == 800)
        first = reader.waiting[0]
        for batch in reader.waiting[1:]:
            batch.ack()
        await asyncio.sleep(1)

        lowest = {record.partition: record.offset for record in reversed(first.records)}
        reached = await committed(kafka_bootstrap, group)
        assert all(reached.get(partition, 0) <= offset for partition, offset in lowest.items())

        first.ack()
        await eventually(
            lambda: committed(kafka_bootstrap, group), lambda found: found == dict.fromkeys(range(PARTITIONS), 200)
        )


async def test_what_comes_next_waits_only_while_that_before_it_is_stored(
    kafka_bootstrap: str, gathering: tuple[Reader, str, Counter[int]]
) -> None:
    """So that records gather while they would have to wait in any case, and at no other time."""
    reader, topic, seen = gathering
    for number in range(3):
        await produce(kafka_bootstrap, topic, range(number, number + 1))
        await until(lambda count=number: len(seen) == count + 1)  # type: ignore[misc]
    reader.hold.clear()
    await produce(kafka_bootstrap, topic, range(3, 4))
    await until(lambda: len(reader.waiting) == 1)
    await produce(kafka_bootstrap, topic, range(4, 8))
    await asyncio.sleep(1)
    assert len(seen) == 4
    reader.hold.set()
    reader.waiting[0].ack()
    await until(lambda: len(seen) == 8)
    assert set(seen.values()) == {1}


async def test_what_was_fetched_together_is_one_batch(
    kafka_bootstrap: str, gathering: tuple[Reader, str, Counter[int]]
) -> None:
    """Of all partitions, although they are delivered one by one: each batch is a transaction, which costs as much as many records."""
    reader, topic, seen = gathering
    reader.hold.clear()
    for number in range(3):
        start = number * 100
        await produce(kafka_bootstrap, topic, range(start, start + 1))
        await until(lambda count=number: len(reader.waiting) == 2 * count + 1)  # type: ignore[misc]
        await produce(kafka_bootstrap, topic, range(start + 1, start + 21))
        await asyncio.sleep(1)  # until the client has fetched all of them
        reader.waiting[-1].ack()
        await until(lambda count=number: len(reader.waiting) == 2 * count + 2)  # type: ignore[misc]
        assert sorted(int(record.value) for record in reader.waiting[-1].records) == list(range(start + 1, start + 21))
        assert len({record.partition for record in reader.waiting[-1].records}) == PARTITIONS
        reader.waiting[-1].ack()
    assert set(seen.values()) == {1}


async def test_a_full_queue_holds_nobody_up(kafka_bootstrap: str, tmp_path: Path) -> None:
    """More partitions than the agent's queue holds messages: the batch takes what there is, while the rest is delivered."""
    topic, group, seen = await make_topic(kafka_bootstrap), uuid.uuid4().hex, Counter[int]()
    reader = Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast=True)
    reader.app.conf.stream_buffer_maxsize = 1
    async with running(reader):
        await produce(kafka_bootstrap, topic, range(600))
        await until(lambda: len(seen) == 600)
        assert set(seen.values()) == {1}


async def test_a_fetch_ends_soon(kafka_bootstrap: str, tmp_path: Path) -> None:
    """One that is about idle partitions alone holds up those that have records: the client asks for both only one after the other."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    reader = Reader(kafka_bootstrap, topic, group, tmp_path, Counter(), fast=True)
    async with running(reader):
        client = await eventually(lambda: asyncio.sleep(0, reader.app.consumer._thread._consumer), bool)
        assert client._fetcher._fetch_max_wait_ms == 100


async def test_nothing_is_lost_while_workers_come_and_go(kafka_bootstrap: str, tmp_path: Path) -> None:
    """Through rebalances, with records arriving all the while, each record is read at least once."""
    topic, group, seen = await make_topic(kafka_bootstrap), uuid.uuid4().hex, Counter[int]()
    one, two = (Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast=True) for _ in range(2))
    async with running(one):
        feeding = asyncio.create_task(feed(kafka_bootstrap, topic))
        await until(lambda: len(seen) > 500)
        async with running(two):
            await until(lambda: len(seen) > 3000)
        await feeding
        await until(lambda: len(seen) == 6000)


class Told:
    """What the reader reports of a log that lacks something."""

    def __init__(self) -> None:
        self.gaps: set[tuple[int, int, int]] = set()
        self.cut: set[tuple[int, int, int]] = set()
        self.kept = asyncio.Event()
        self.kept.set()

    async def written(self) -> None:
        """Wait until they are kept."""
        await self.kept.wait()

    def found(self, topic: str, partition: int, first: int, end: int) -> None:
        """Offsets are gone."""
        self.gaps.add((partition, first, end))

    def truncated(self, topic: str, partition: int, committed: int, end: int) -> None:
        """The log ends before what was read."""
        self.cut.add((partition, committed, end))


async def read_to(bootstrap: str, topic: str, group: str, folder: Path, offset: int) -> tuple[Told, Counter[int]]:
    """A worker that runs until it has committed this offset of each partition: what it reported, and what it read."""
    reported, seen = Told(), Counter[int]()
    reader = Reader(bootstrap, topic, group, folder, seen, fast=True)
    reader.app.transport.passed_over = reported
    async with running(reader):
        await eventually(
            lambda: committed(bootstrap, group), lambda found: found == dict.fromkeys(range(PARTITIONS), offset)
        )
    return reported, seen


async def test_what_was_deleted_unread_is_reported(kafka_bootstrap: str, tmp_path: Path) -> None:
    """Kafka goes on at the log's new beginning without a word; the reader names the offsets that it never saw."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    await produce(kafka_bootstrap, topic, range(40))
    reported, _ = await read_to(kafka_bootstrap, topic, group, tmp_path, 10)
    assert (reported.gaps, reported.cut) == (set(), set())

    await produce(kafka_bootstrap, topic, range(40, 120))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    await admin.delete_records({tps[1]: RecordsToDelete(20), tps[2]: RecordsToDelete(10)})
    await admin.close()
    reported, seen = await read_to(kafka_bootstrap, topic, group, tmp_path, 30)

    assert (reported.gaps, reported.cut) == ({(1, 10, 20)}, set())
    assert seen.keys() == {n for n in range(40, 120) if n % PARTITIONS != 1 or n >= 80}


async def test_nothing_behind_a_gap_is_read_before_the_gap_is_kept(kafka_bootstrap: str, tmp_path: Path) -> None:
    """A worker that dies between the two would leave a gap that no other could find."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    await produce(kafka_bootstrap, topic, range(40))
    await read_to(kafka_bootstrap, topic, group, tmp_path, 10)
    await produce(kafka_bootstrap, topic, range(40, 120))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 1): RecordsToDelete(20)})
    await admin.close()

    reported, seen = Told(), Counter[int]()
    reported.kept.clear()
    reader = Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast=True)
    reader.app.transport.passed_over = reported
    async with running(reader):
        await eventually(lambda: asyncio.sleep(0, reported.gaps), lambda found: found == {(1, 10, 20)})
        await asyncio.sleep(3)
        assert not {n for n in seen if n % PARTITIONS == 1}
        assert (await committed(kafka_bootstrap, group))[1] == 10
        reported.kept.set()
        await eventually(
            lambda: committed(kafka_bootstrap, group), lambda found: found == dict.fromkeys(range(PARTITIONS), 30)
        )
    assert {n for n in seen if n % PARTITIONS == 1} == {n for n in range(80, 120) if n % PARTITIONS == 1}


async def test_markers_of_transactions_are_no_gap(kafka_bootstrap: str, tmp_path: Path) -> None:
    """They take offsets in the middle of the log, and nothing was deleted."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=group) as producer:
        for n in range(3):
            async with producer.transaction():
                for partition in range(PARTITIONS):
                    await producer.send_and_wait(topic, b"%d" % n, partition=partition)
    await produce(kafka_bootstrap, topic, range(3, 3 + PARTITIONS))
    reported, seen = await read_to(kafka_bootstrap, topic, group, tmp_path, 7)

    assert (reported.gaps, reported.cut) == (set(), set())
    assert seen.keys() == set(range(3 + PARTITIONS))


async def test_a_log_that_ends_before_what_was_read_is_read_from_its_beginning(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    """It was cut off, or made anew: its records are read, not taken for records read already, and that is reported."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    await commit(kafka_bootstrap, topic, group, 100)
    await produce(kafka_bootstrap, topic, range(20))
    reported, seen = await read_to(kafka_bootstrap, topic, group, tmp_path, 5)

    assert seen.keys() == set(range(20))
    assert reported.cut == {(partition, 100, 5) for partition in range(PARTITIONS)}
    assert reported.gaps == set()


async def test_a_log_that_was_cut_and_grew_past_what_was_read_is_read_from_its_beginning(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    """A running reader is sent back to the beginning while the log is empty; what arrives then goes past the old offset."""
    topic, group = await make_topic(kafka_bootstrap), uuid.uuid4().hex
    await commit(kafka_bootstrap, topic, group, 100)
    reported, seen = Told(), Counter[int]()
    reader = Reader(kafka_bootstrap, topic, group, tmp_path, seen, fast=True)
    reader.app.transport.passed_over = reported
    async with running(reader):
        await asyncio.sleep(5)  # until the reader has its partitions, and was sent back
        await produce(kafka_bootstrap, topic, range(150 * PARTITIONS))
        await eventually(
            lambda: committed(kafka_bootstrap, group), lambda found: found == dict.fromkeys(range(PARTITIONS), 150)
        )

    assert seen.keys() == set(range(150 * PARTITIONS))
    assert reported.cut == {(partition, 100, 0) for partition in range(PARTITIONS)}
    assert reported.gaps == set()


async def commit(bootstrap: str, topic: str, group: str, offset: int) -> None:
    """Commit this offset of each partition, as a group without members."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    tps = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    consumer.assign(tps)
    await consumer.commit(dict.fromkeys(tps, offset))
    await consumer.stop()


async def feed(bootstrap: str, topic: str) -> None:
    for start in range(0, 6000, 200):
        await produce(bootstrap, topic, range(start, start + 200))
        await asyncio.sleep(0.3)


def test_offsets_that_hold_no_record_belong_to_the_next_run() -> None:
    """Offsets skipped by Kafka (compaction, transaction markers) do not hold up the commit."""
    consumer = BatchConsumer.__new__(BatchConsumer)
    tp: Any = ("t", 0)
    consumer._acked = {tp: [(5, 9), (0, 4), (10, 12), (20, 22)]}
    consumer._committed_offset = {tp: 0}

    assert consumer._new_offset(tp) == 13
    assert consumer._acked[tp] == [(20, 22)]

    consumer._committed_offset[tp] = 13
    assert consumer._new_offset(tp) is None
    consumer._acked[tp].append((12, 19))
    assert consumer._new_offset(tp) == 23


async def test_partitions_that_fill_up_while_a_log_s_end_is_asked_for_stop_nothing() -> None:
    """Faust takes a partition whose buffer is full out of the active ones, and puts it back, at any moment."""
    tps: list[Any] = [TP("t", partition) for partition in range(3)]
    asked: list[Any] = []

    class Full(BatchConsumer):
        app: Any = SimpleNamespace(consumer_generation_id=1, in_recovery=False)

        def highwater(self, tp: Any) -> int:
            return 7

        async def position(self, tp: Any) -> int:
            asked.append(tp)
            self.on_buffer_full(tps[0])
            self.on_buffer_full(tps[1])
            await asyncio.sleep(0)
            self.on_buffer_drop(tps[0])
            return 5

    consumer = Full.__new__(Full)
    consumer._active_partitions, consumer._buffered_partitions = set(tps), set()
    consumer._read_offset = dict.fromkeys(tps, 5)
    await consumer._pass_markers(1)
    assert sorted(asked) == tps


def test_a_run_is_one_message_with_its_last_offset() -> None:
    """Faust sees the last offset; the acknowledgement covers the first one on."""

    class Record:
        offset, timestamp, timestamp_type = 7, 1000, 0

    tp: Any = type("TP", (), {"topic": "t", "partition": 0})()
    message = RecordBatch(tp, [Record()], 3, 1)

    assert (message.first, message.offset, message.timestamp) == (3, 7, 1.0)
