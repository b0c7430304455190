"""A topic that is deleted and created again under a running worker.

In a file of its own, with servers of its own: other tests count the offsets of the same topic.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.process.watch import EVERY, STALLED
from app.kafka import TopicsFailed, ensure_topics
from tests.integration.worker import Servers, at_work, serving
from tests.support.waiting import eventually

REPORTED = TopicPartition("events.reported", 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    """For the tests of this file."""
    async with serving() as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


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
    the one that its supervisor starts; the deletion is a gap, since what was lost is unknown."""
    async with at_work(servers) as worker:
        await worker.start()
        await servers.post(3, REPORTED.topic)
        before = await servers.end_of(REPORTED)
        await eventually(lambda: servers.committed(REPORTED), lambda offset: offset == before)
        await worker.until(lambda page: page["lag"].get(REPORTED.topic) == 0)
        await asyncio.sleep(EVERY + 1)  # one look of the watch
        await recreate(servers, REPORTED.topic, pause=pause)
        await servers.post(2, REPORTED.topic)

        async def read() -> bool:
            assert worker.child is not None
            if not worker.child.alive:
                assert worker.child.exit_code == STALLED
                await worker.start()
            return await servers.committed(REPORTED) == 2

        await eventually(read, within=40)

        async def gaps() -> list[tuple[Any, ...]]:
            async with await psycopg.AsyncConnection.connect(servers.postgres.dsn("owner")) as db:
                query = "SELECT topic, partition, from_offset FROM threadline.gaps WHERE acknowledged_at IS NULL"
                return await (await db.execute(query)).fetchall()

        assert await eventually(gaps, bool) == [(REPORTED.topic, 0, before)]
        assert (await worker.threadline("gaps", "acknowledge", REPORTED.topic, "0"))[0] == 0
        await worker.end()
