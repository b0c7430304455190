"""A topic that is deleted and created again under a running worker.

In a file of its own, with servers of its own: other tests count the offsets of the same topic.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.process.watch import EVERY, STALLED
from app.kafka import TopicsFailed, ensure_topics
from app.kafka.unread import GROUP
from tests.integration.command_line import command
from tests.integration.worker import Servers, Worker, at_work, serving
from tests.support.waiting import eventually

REPORTED = TopicPartition("events.reported", 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    """For the tests of this file."""
    async with serving() as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ends_at(servers: Servers, tp: TopicPartition) -> int:
    """The offset that the log's next record gets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka.bootstrap)
    await consumer.start()
    try:
        end: int = (await consumer.end_offsets([tp]))[tp]
        return end
    finally:
        await consumer.stop()


async def committed(servers: Servers, tp: TopicPartition) -> int | None:
    """What the workers' group has committed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka.bootstrap, group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])
    try:
        offset: int | None = await consumer.committed(tp)
        return offset
    finally:
        await consumer.stop()


async def threadline(worker: Worker, *arguments: str) -> tuple[int | None, str]:
    """A command on the worker's servers: its exit code, and all that it printed."""
    ran = await command(*arguments, environment=worker.environment)
    return ran.code, ran.out + ran.err


async def recreate(servers: Servers, topic: str, *, pause: float) -> None:
    """Delete a topic, and create it again after a pause."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka.bootstrap)
    await admin.start()
    await admin.delete_topics([topic])
    await asyncio.sleep(pause)
    await admin.close()
    await eventually(lambda: created(servers, topic))


async def created(servers: Servers, topic: str) -> bool:
    """Whether a topic was created again: a broker refuses it for a moment after it was deleted."""
    try:
        await ensure_topics(servers.settings)
    except (KafkaError, TopicsFailed):
        return False
    return True


@pytest.mark.parametrize("pause", [0, 8])
async def test_a_topic_that_is_recreated_is_a_gap_and_is_read_again(servers: Servers, pause: float) -> None:
    """Deleted and created again under a running worker, at once or after a pause. Its records are read, by this worker or by
    the one that its supervisor starts; the deletion is a gap, since nobody knows what was lost."""
    async with at_work(servers) as worker:
        await worker.start()
        await servers.post(3, REPORTED.topic)
        before = await ends_at(servers, REPORTED)
        await eventually(lambda: committed(servers, REPORTED), lambda offset: offset == before)
        await worker.until(lambda said: said["lag"].get(REPORTED.topic) == 0)
        await asyncio.sleep(EVERY + 1)  # one look of the watch
        await recreate(servers, REPORTED.topic, pause=pause)
        await servers.post(2, REPORTED.topic)

        async def read() -> bool:
            assert worker.child is not None
            if not worker.child.alive:
                assert worker.child.exit_code == STALLED
                await worker.start()
            return await committed(servers, REPORTED) == 2

        await eventually(read, within=40)

        async def gaps() -> list[tuple[Any, ...]]:
            async with await psycopg.AsyncConnection.connect(servers.postgres.dsn("owner")) as db:
                query = "SELECT topic, partition, from_offset FROM threadline.gaps WHERE acknowledged_at IS NULL"
                return await (await db.execute(query)).fetchall()

        assert await eventually(gaps, bool) == [(REPORTED.topic, 0, before)]
        assert (await threadline(worker, "gaps", "acknowledge", REPORTED.topic, "0"))[0] == 0
        await worker.end()
