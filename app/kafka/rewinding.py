"""Sets the workers' consumer group back to an earlier time, so that they read Kafka again from there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka import admin, client_args
from app.kafka.unread import GROUP
from app.settings import Kafka


class WorkersRun(Exception):
    """A worker is a member of the group, which would commit its own offsets again."""


@dataclass(frozen=True, slots=True)
class Rewound:
    """A partition: the offset that was committed (or None), the one that is now, and the log's first. `short`: the log does not
    reach back to the time."""

    topic: str
    partition: int
    was: int | None
    now: int
    short: bool


async def rewind(kafka: Kafka, topics: Iterable[str], to: datetime) -> list[Rewound]:
    """Commit for each partition the offset of its first record from `to` on, unless an earlier one is committed; return what was
    done. Raises WorkersRun while a worker runs or has ended within its session, KafkaError, OSError."""
    async with admin(kafka) as client:
        (answer,) = await client.describe_consumer_groups([GROUP])
        if any(group[5] for group in answer.groups):
            raise WorkersRun("a worker runs, or ended within the last minute: stop all workers, wait, and try again")
        found = await client.describe_topics(list(topics))
        committed = await client.list_consumer_group_offsets(GROUP)
    partitions = [TopicPartition(each["topic"], p["partition"]) for each in found for p in each["partitions"]]
    consumer = AIOKafkaConsumer(**client_args(kafka), group_id=GROUP, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        at = int(to.timestamp() * 1000)
        there = await consumer.offsets_for_times(dict.fromkeys(partitions, at))
        first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        done = []
        for tp in sorted(partitions):
            held = committed.get(tp)
            was = held.offset if held is not None and held.offset >= 0 else None
            since = record.offset if (record := there[tp]) is not None else end[tp]
            now = since if was is None else min(since, was)
            done.append(Rewound(tp.topic, tp.partition, was, now, since == first[tp] > 0))
        await consumer.commit({TopicPartition(each.topic, each.partition): each.now for each in done})
    finally:
        await consumer.stop()
    return done
