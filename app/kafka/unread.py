"""Reports how far a consumer group has read: committed offsets, and the start and end of each partition's log."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code

from app.kafka import unpacking

T = TypeVar("T")

#: The consumer group of the workers.
GROUP = "threadline"

#: Seconds to wait for a broker's response, and for the first unread records of all partitions.
PATIENCE, PEEK = 10.0, 3.0
#: Records of a partition that are sampled for the average size.
SAMPLE = 50


@dataclass(frozen=True, slots=True)
class Reach:
    """One partition: the committed offset (or None), the log's first offset, and its end offset."""

    committed: int | None
    first: int
    end: int

    @property
    def next(self) -> int:
        """The next offset to read. Without a committed offset that is the first one."""
        return self.first if self.committed is None else max(self.committed, self.first)

    @property
    def behind(self) -> int:
        """The number of uncommitted offsets."""
        return max(0, self.end - self.next)

    @property
    def gap(self) -> tuple[int, int] | None:
        """The range (start, end) of offsets that were deleted unread, or None."""
        return None if self.committed is None or self.committed >= self.first else (self.committed, self.first)

    @property
    def truncated(self) -> bool:
        """Whether the committed offset is past the log's end: the topic was truncated or recreated."""
        return self.committed is not None and self.committed > self.end


@dataclass(frozen=True, slots=True)
class Unread:
    """The first unread record: its timestamp (Unix seconds), and the average size of the next records in bytes."""

    since: float
    size: float


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a topic keeps a record, in seconds, and how many bytes a partition keeps. None means no limit."""

    seconds: float | None
    bytes: int | None

    def used(self, reach: Reach, unread: Unread, now: float) -> float:
        """Return the share of the retention that the unread part has used up. At 1 its first record is deleted."""
        shares = [0.0]
        if self.seconds:
            shares.append((now - unread.since) / self.seconds)
        if self.bytes:
            shares.append(reach.behind * unread.size / self.bytes)
        return max(shares)


class Log:
    """Queries the topics of one consumer group over persistent connections. Each method raises KafkaError, OSError or
    TimeoutError while the brokers are unreachable, and reconnects at the next call.

    `client` holds arguments for aiokafka's clients (`app.kafka.client_args`).
    """

    def __init__(self, client: Mapping[str, Any], group: str, topics: Iterable[str]) -> None:
        self._client, self._group, self._topics = dict(client), group, tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def reach(self) -> dict[TopicPartition, Reach]:
        """Return the offsets of every partition."""
        return await self._asked(self._reach())

    async def owners(self) -> dict[TopicPartition, str]:
        """Return the member id that each assigned partition belongs to."""
        return await self._asked(self._owners())

    async def unread(self, reaches: Mapping[TopicPartition, Reach]) -> dict[TopicPartition, Unread]:
        """Return the first unread record of each lagging partition. Left out are partitions whose unread offsets hold no record
        (transaction markers, compacted records), and those that did not answer in time."""
        return await self._asked(self._unread({tp: each.next for tp, each in reaches.items() if each.behind}))

    async def retention(self) -> dict[str, Retention]:
        """Return the retention of each topic."""
        return await self._asked(self._retention())

    async def close(self) -> None:
        """Close the connections."""
        consumer, self._consumer, admin, self._admin = self._consumer, None, self._admin, None
        for end in (consumer and consumer.stop, admin and admin.close):
            if end is not None:
                with contextlib.suppress(Exception):  # a connection that does not close in time is abandoned
                    async with asyncio.timeout(PATIENCE):
                        await end()

    async def _asked(self, question: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await question
        except BaseException:
            await self.close()
            raise

    async def _connected(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None or self._admin is None:
            unpacking.install()
            # A small fetch, since only the first few unread records are read.
            self._consumer = AIOKafkaConsumer(
                **self._client, enable_auto_commit=False, max_partition_fetch_bytes=1 << 16
            )
            self._admin = AIOKafkaAdminClient(**self._client)
            await self._consumer.start()
            await self._admin.start()
        return self._consumer, self._admin

    async def _reach(self) -> dict[TopicPartition, Reach]:
        consumer, admin = await self._connected()
        partitions = [TopicPartition(t, p) for t in self._topics for p in await _partitions(consumer, t)]
        # In this order, else what is read, committed or deleted meanwhile looks like a gap, or like a log cut off.
        first = await consumer.beginning_offsets(partitions)
        committed = await admin.list_consumer_group_offsets(self._group)
        end = await consumer.end_offsets(partitions)
        reached = {tp: found.offset for tp, found in committed.items() if found.offset >= 0}
        return {tp: Reach(reached.get(tp), first[tp], end[tp]) for tp in partitions}

    async def _owners(self) -> dict[TopicPartition, str]:
        _, admin = await self._connected()
        (answer,) = await admin.describe_consumer_groups([self._group])
        owners: dict[TopicPartition, str] = {}
        for error, _, _, _, _, members, *_ in answer.groups:
            if error:
                raise for_code(error)(self._group)
            for member in members:
                # The last of its fields that every version of the answer has, after `member_id`, (instance,) client, host.
                if assigned := member[-1]:
                    for tp in ConsumerProtocolMemberAssignment.decode(assigned).partitions():
                        owners[tp] = member[0]
        return owners

    async def _unread(self, starts: Mapping[TopicPartition, int]) -> dict[TopicPartition, Unread]:
        found: dict[TopicPartition, Unread] = {}
        if not starts:
            return found
        consumer, _ = await self._connected()
        consumer.assign(list(starts))
        try:
            for tp, offset in starts.items():
                consumer.seek(tp, offset)
            deadline = asyncio.get_running_loop().time() + PEEK
            while len(found) < len(starts) and (left := deadline - asyncio.get_running_loop().time()) > 0:
                waited = [tp for tp in starts if tp not in found]
                records = await consumer.getmany(*waited, timeout_ms=int(left * 1000), max_records=SAMPLE * len(waited))
                for tp, some in records.items():
                    size = sum(len(record.value or b"") + len(record.key or b"") for record in some) / len(some)
                    found[tp] = Unread(some[0].timestamp / 1000, size)
        finally:
            consumer.unsubscribe()
        return found

    async def _retention(self) -> dict[str, Retention]:
        _, admin = await self._connected()
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in self._topics]
        )
        found: dict[str, Retention] = {}
        for resource in (each for answer in answers for each in answer.resources):
            configs = {entry[0]: entry[1] for entry in resource[4]}
            age, size = int(configs.get("retention.ms") or -1), int(configs.get("retention.bytes") or -1)
            deletes = "delete" in (configs.get("cleanup.policy") or "delete")
            found[resource[3]] = Retention(
                age / 1000 if deletes and age >= 0 else None, size if deletes and size >= 0 else None
            )
        return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    found = consumer.partitions_for_topic(topic)
    if found is None:
        await consumer._client.add_topic(topic)  # a consumer without a subscription knows only topics that were added
        await consumer._client.force_metadata_update()
        found = consumer.partitions_for_topic(topic)
    return sorted(found or ())
