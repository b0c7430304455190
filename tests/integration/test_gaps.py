"""What Kafka deletes before it is read: seen, kept, reported until it is acknowledged; and webhooks held back before
that.

On a real broker that looks for what has expired every half second.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import CommitFailedError

from app.kafka.holding import ABOVE, hold_back
from app.kafka.producers import producer_args
from app.kafka.unread import GROUP, Log
from tests.integration.worker import Servers, at_work, serving
from tests.support.waiting import eventually, until
from webhooks.keep import TOPIC, Keep
from webhooks.spool import Spool, Unkept

REPORTED = TopicPartition("events.reported", 0)
RECEIVED = TopicPartition(TOPIC, 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    """For all tests of this file: each leaves them running."""
    soon = {"log_retention_check_interval_ms": "500", "log_initial_task_delay_ms": "500"}
    async with serving(**soon) as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def keep_for(servers: Servers, topic: str, milliseconds: int) -> None:
    """Change for how long a topic keeps its records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka.bootstrap)
    await admin.start()
    configs = {"retention.ms": str(milliseconds), "segment.ms": "500", "file.delete.delay.ms": "0"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
    await admin.close()


async def begins_at(servers: Servers, tp: TopicPartition) -> int:
    """The log's first offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka.bootstrap)
    await consumer.start()
    try:
        first: int = (await consumer.beginning_offsets([tp]))[tp]
        return first
    finally:
        await consumer.stop()


async def commit(servers: Servers, tp: TopicPartition, offset: int) -> None:
    """Commit an offset as the workers' group, once it has no member: one that ended keeps its place for a while."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka.bootstrap, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])

    async def committed() -> bool:
        try:
            await consumer.commit({tp: offset})
        except CommitFailedError:
            return False
        return True

    try:
        await eventually(committed)
    finally:
        await consumer.stop()


async def test_what_expired_unread_is_reported_until_it_is_acknowledged(servers: Servers) -> None:
    """Ten records expire while no worker runs. The one that comes then names the offsets, goes on after them, and is ready
    with an alarm, until an operator has seen to it; the next worker does not raise it again."""
    before = await servers.end_of(REPORTED)
    await servers.post(10, REPORTED.topic)
    first, end = before + 2, before + 10
    await commit(servers, REPORTED, first)
    await keep_for(servers, REPORTED.topic, 1000)
    await eventually(lambda: begins_at(servers, REPORTED), lambda begins: begins == end, within=60)
    await keep_for(servers, REPORTED.topic, 3_600_000)
    await servers.post(3, REPORTED.topic)

    async with at_work(servers) as worker:
        await worker.start()
        output = await worker.until(lambda output: output["status"] == "alarm" and not output["lag"][REPORTED.topic])
        assert [alarm.partition(":")[0] for alarm in output["alarms"]] == ["events.reported-0"]
        assert f"the offsets {first} to {end - 1} are gone" in output["alarms"][0]
        assert worker.log.count("records were deleted before they were read") == 1
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(f"http://127.0.0.1:{worker.port}/metrics")).text
        assert "threadline_gap_offsets_total 8.0" in page

        async def kept() -> list[tuple[Any, ...]]:
            async with await psycopg.AsyncConnection.connect(servers.postgres.dsn("owner")) as db:
                query = "SELECT topic, partition, from_offset, to_offset FROM threadline.gaps"
                return await (await db.execute(query)).fetchall()

        assert await kept() == [("events.reported", 0, first, end)]

        _, reported = await worker.threadline("doctor")
        assert f"{first} to {end - 1} are gone" in " ".join(reported.split())
        code, listed = await worker.threadline("gaps")
        assert code == 1 and f"offsets {first} to {end - 1}" in listed
        assert (await worker.threadline("gaps", "acknowledge", "messages.requested"))[0] == 1
        code, printed = await worker.threadline("gaps", "acknowledge", REPORTED.topic, "0")
        assert code == 0 and f"offsets {first} to {end - 1}" in printed
        await worker.until(lambda output: output["status"] == "ok")
        assert (await worker.threadline("gaps"))[0] == 0
        assert "cli:" in (await worker.threadline("gaps", "--all"))[1]
        await worker.end()


async def test_records_that_grow_old_unread_are_an_alarm(servers: Servers) -> None:
    """The database is halted, so nothing is read; before the records expire the page says what to do."""
    async with at_work(servers, THREADLINE_WORKER__STALL_AFTER="600") as worker:
        await worker.start(
            "import agents.process.watch\nagents.process.watch.AGES_EVERY = agents.process.watch.BELIEVED = 1.0"
        )
        servers.halt(servers.postgres.child)
        await keep_for(servers, REPORTED.topic, 40_000)
        await servers.post(2, REPORTED.topic)
        begins = "events.reported-0: 2 records from offset "
        output = await worker.until(lambda output: any(alarm.startswith(begins) for alarm in output["alarms"]))
        assert all("raise the topic's retention" in alarm for alarm in output["alarms"])
        servers.go_on()
        await worker.until(lambda output: not output["alarms"])
        await worker.end()
    await keep_for(servers, REPORTED.topic, 3_600_000)


async def test_webhooks_are_held_back_before_unread_ones_expire(servers: Servers, tmp_path: Path) -> None:
    """Above half of the retention they go to the spool, which is kept; where it is full they are refused. Once the unread
    part is young again all of them are in Kafka, each once."""
    settings = servers.settings
    spool = Spool(tmp_path / "spool", 3000)
    keep = Keep(lambda: AIOKafkaProducer(**producer_args(settings)), spool)
    await keep.start()
    holding = asyncio.create_task(hold_back(keep, settings, every=0.2))
    try:
        await keep_for(servers, TOPIC, 20_000)
        began = time.time()
        await asyncio.wait_for(keep.put(b"first"), 10)
        assert keep.held is None
        await until(lambda: keep.held, within=20)
        assert time.time() - began > ABOVE * 20 - 0.001  # the record's timestamp is in whole milliseconds
        assert f"{TOPIC}-0" in (keep.held or "")
        assert await begins_at(servers, RECEIVED) == 0
        sent = keep.sent
        await asyncio.wait_for(keep.put(b"second"), 10)
        assert (keep.sent, spool.records) == (sent, 1)
        with pytest.raises(Unkept):
            for _ in range(10):
                await asyncio.wait_for(keep.put(b"x" * 1000), 10)
        held = spool.records

        await commit(servers, RECEIVED, 1)
        await until(lambda: keep.held is None and not spool.records)
        assert keep.drained == held
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await keep.stop()
    log = Log({"bootstrap_servers": servers.kafka.bootstrap}, GROUP, (TOPIC,))
    assert (await log.reach())[RECEIVED].end == 1 + held
    await log.close()
    await keep_for(servers, TOPIC, 3_600_000)
    await commit(servers, RECEIVED, 1 + held)


async def test_markers_of_transactions_are_no_unread_records(servers: Servers) -> None:
    """Kafka's own marks lie at the log's end. They are committed past, so that no worker ends itself for them, and that
    nobody takes them for records that were deleted unread when the topic drops them."""
    async with at_work(servers, THREADLINE_WORKER__STALL_AFTER="3") as worker:
        await worker.start()
        async with AIOKafkaProducer(bootstrap_servers=servers.kafka.bootstrap, transactional_id="services") as producer:
            async with producer.transaction():
                await producer.send_and_wait(REPORTED.topic, b"{}", partition=0)
                await producer.send_and_wait(REPORTED.topic, b"{}", partition=0)
        end = await servers.end_of(REPORTED)
        await eventually(lambda: servers.committed(REPORTED), lambda offset: offset == end)
        await worker.until(lambda output: output["lag"].get(REPORTED.topic) == 0 and not output["idle"])
        await keep_for(servers, REPORTED.topic, 1000)
        await eventually(lambda: begins_at(servers, REPORTED), lambda begins: begins == end, within=60)
        await asyncio.sleep(12)  # two looks of the watch
        assert worker.child is not None and worker.child.alive, worker.log
        assert "deleted before they were read" not in worker.log
        await worker.end()
    await keep_for(servers, REPORTED.topic, 3_600_000)
