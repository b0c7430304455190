"""Puts the records of dead letters on their topics again. The API and the command line request that by a mark in the database."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from agents.failures import is_permanent
from agents.health import WorkerHealth
from agents.records.replays import header_of
from sql import EventStore
from sql.sealed_records import is_sealed
from webhooks.cancelled import pass_on, rest
from webhooks.record import OF_BLOB

log = structlog.get_logger(__name__)

#: Seconds between two looks for records to publish.
PAUSE = 0.5
#: Seconds that Kafka has to take a record; and for which the topic's records wait if it did not, so that records of other topics
#: are published meanwhile: a partition without a leader gives no answer.
PATIENCE, REST = 5.0, 30.0
#: Errors of one topic, which must not delay the records of others.
_OF_TOPIC = (UnknownTopicOrPartitionError, TopicAuthorizationFailedError)


class Replayer:
    """Publishes replays until cancelled. `connect` makes a producer (aiokafka's) that is not started; it is called at the
    first replay. A replay is published at least once; the events of its record are stored once, however often it is read."""

    def __init__(self, store: EventStore, connect: Callable[[], Any], health: WorkerHealth) -> None:
        self._store, self._connect, self._health = store, connect, health
        self._producer: Any = None
        #: Topics whose records wait, and until when (the loop's clock).
        self._resting: dict[str, float] = {}

    async def run(self) -> None:
        """Run without end. Raises errors of PostgreSQL, and errors of Kafka if no producer can be started. Replays that were not
        marked as published are published again."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                self._resting = {topic: until for topic, until in self._resting.items() if until > clock()}
                await self._store.keys_ready("records")
                published = await self._store.publish_replays(self._publish, sorted(self._resting))
                if not self._resting:
                    self._health.works("replays")
                if not published:
                    await rest(PAUSE)
        finally:
            await self._close()

    async def _publish(self, records: Sequence[tuple[str, bytes, UUID, int]]) -> list[bool | None]:
        if self._producer is None:
            made = self._connect()
            await made.start()
            self._producer = made
        taken = await asyncio.gather(*(self._one(*record) for record in records))
        if None in taken:
            until = asyncio.get_running_loop().time() + REST
            self._resting |= {record[0]: until for record, each in zip(records, taken, strict=True) if each is None}
            await self._close()  # some errors leave a producer that fails for ever
        return taken

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(TimeoutError):  # it waits for what Kafka has not taken
                async with asyncio.timeout(PATIENCE):
                    await producer.stop()

    async def _one(self, topic: str, value: bytes, id: UUID, number: int) -> bool | None:
        """Publish one record, sealed as the door seals it. Return False if Kafka refuses it, and None if it is to be published
        later."""
        # A record that could not be decrypted is published as it came.
        large = value.startswith(OF_BLOB)
        sealed = value if is_sealed(value) else self._store.hours.seal("records", topic.encode(), value, large=large)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._producer.send_and_wait(topic, sealed, headers=[header_of(id, number)])
        except Exception as error:
            pass_on(error)
            if not is_permanent(error) and not isinstance(error, _OF_TOPIC):
                self._health.fails("replays", error)
                return None
            log.error("a dead letter cannot be replayed", id=str(id), topic=topic, error=type(error).__name__)
            return False
        return True
