"""Puts the records of dead letters on their topics again, as the API and the command line ask for it in the database."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from agents.failures import is_permanent
from agents.health import WorkerHealth
from agents.records.replays import header_of
from sql import EventStore

log = structlog.get_logger(__name__)

#: Seconds between two looks for records to publish.
PAUSE = 0.5
#: Errors of one topic, which must not delay the records of others.
_OF_TOPIC = (UnknownTopicOrPartitionError, TopicAuthorizationFailedError)


class Replayer:
    """Publishes replays until cancelled. `connect` makes a producer (aiokafka's) that is not started; there is one from the
    first replay on. A replay is published at least once: what its record makes is stored once, however often it is read."""

    def __init__(self, store: EventStore, connect: Callable[[], Any], health: WorkerHealth) -> None:
        self._store, self._connect, self._health = store, connect, health
        self._producer: Any = None

    async def run(self) -> None:
        """Run without end. Raises errors of PostgreSQL and Kafka; whatever was not marked as published is published again."""
        try:
            while True:
                published = await self._store.publish_replays(self._publish)
                self._health.works("replays")
                if not published:
                    await asyncio.sleep(PAUSE)
        finally:
            producer, self._producer = self._producer, None
            if producer is not None:
                await producer.stop()

    async def _publish(self, records: Sequence[tuple[str, bytes, UUID, int]]) -> list[bool]:
        if self._producer is None:
            self._producer = self._connect()
            await self._producer.start()
        results = await asyncio.gather(*(self._one(*record) for record in records), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result is True for result in results]

    async def _one(self, topic: str, value: bytes, id: UUID, number: int) -> bool:
        """Publish one record; return False if Kafka does not take it."""
        try:
            await self._producer.send_and_wait(topic, value, headers=[header_of(id, number)])
        except Exception as error:
            if not is_permanent(error) and not isinstance(error, _OF_TOPIC):
                raise
            log.error("a dead letter cannot be replayed", id=str(id), topic=topic, error=type(error).__name__)
            return False
        return True
