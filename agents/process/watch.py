"""Watches what the group has committed against the log's end, partition by partition, and ends the process where that
stands still.

Faust agents can stop without an error (faust-streaming #175, #523, #532), and so can its consumer. Nothing but a commit
counts as progress. It runs in a thread of its own, so that an event loop that does not turn any more is found as well.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition

from agents.health import Health
from agents.process.ending import leave
from agents.process.gaps import Gaps
from app.kafka.unread import Log, Reach, Retention

log = structlog.get_logger(__name__)

#: Exit status of a worker that ended itself (EX_SOFTWARE of sysexits.h); the supervisor starts another.
STALLED = 70
#: Seconds between two looks, between two looks at how old the unread records are, and for which a topic's retention is
#: believed.
EVERY, AGES_EVERY, BELIEVED = 5.0, 30.0, 300.0
#: The share of a topic's retention that the unread part may use up before the alarm is raised.
ALARM = 0.5


class Progress:
    """For how long each partition has been behind without a commit. Time during which the brokers could not be asked does
    not count: nothing is known of it."""

    def __init__(self) -> None:
        self._since: dict[TopicPartition, tuple[int, float]] = {}

    def seen(
        self, reaches: Mapping[TopicPartition, Reach], others: Collection[TopicPartition], passed: float
    ) -> dict[TopicPartition, float]:
        """The seconds of each that is behind and not `others`; `passed` are those since the last look, 0 where that failed."""
        now: dict[TopicPartition, tuple[int, float]] = {}
        for tp, reach in reaches.items():
            if reach.behind and tp not in others:
                offset, idle = self._since.get(tp, (-1, 0.0))
                now[tp] = (reach.next, idle + passed) if offset == reach.next else (reach.next, 0.0)
        self._since = now
        return {tp: idle for tp, (_, idle) in now.items()}

    def holds_nothing(self, tp: TopicPartition) -> None:
        """The partition's unread offsets hold no record: begin anew."""
        self._since.pop(tp, None)


class Watch:
    """One worker's. `member` gives its id in the group, None while it has none; `gaps` is told of what was passed over."""

    def __init__(
        self, health: Health, kafka: Log, member: Callable[[], str | None], gaps: Gaps, stall_after: float
    ) -> None:
        self._health, self._kafka, self._member, self._gaps = health, kafka, member, gaps
        self._stall_after = stall_after
        self._progress = Progress()
        self._retention: dict[str, Retention] = {}
        self._asked = self._aged = float("-inf")
        #: Partitions whose log ended before what was committed, as the last look saw it.
        self._cut: set[TopicPartition] = set()

    def start(self) -> None:
        """Watch in a thread, for as long as the process lives."""
        threading.Thread(target=lambda: asyncio.run(self.run()), name="watch", daemon=True).start()

    async def run(self, every: float = EVERY) -> None:
        """Look for ever; end the process (status `STALLED`) where a partition of ours stands still for too long."""
        last: float | None = None
        while True:
            now = time.monotonic()
            try:
                await self._look(0.0 if last is None else now - last)
                last = now
                self._health.works("kafka")
            except Exception as error:  # the brokers are away: that is their health, and no stall of ours
                last = None
                self._health.fails("kafka", error)
            await asyncio.sleep(every)

    async def _look(self, passed: float) -> None:
        reaches = await self._kafka.reach()
        lag = dict.fromkeys((tp.topic for tp in reaches), 0)
        for tp, reach in reaches.items():
            lag[tp.topic] += reach.behind
            if reach.gap is not None:
                self._gaps.found(tp.topic, tp.partition, *reach.gap)
            # Seen twice: a broker that has just started knows its log's end a moment later.
            elif reach.truncated and tp in self._cut:
                self._gaps.truncated(tp.topic, tp.partition, reach.committed or 0, reach.end)
        self._cut = {tp for tp, reach in reaches.items() if reach.truncated}
        self._health.lag = lag
        idle = self._progress.seen(reaches, await self._others(), passed) if any(lag.values()) else {}
        self._health.idle = {_name(tp): round(seconds, 1) for tp, seconds in idle.items() if seconds}
        if still := {tp: reaches[tp] for tp, seconds in idle.items() if seconds > self._stall_after}:
            await self._end(still, idle)
        await self._ages(reaches)

    async def _others(self) -> set[TopicPartition]:
        """The partitions that another member has. What nobody has is everyone's: a worker may have lost the group."""
        member = self._member()
        return {tp for tp, owner in (await self._kafka.owners()).items() if owner != member}

    async def _end(self, still: dict[TopicPartition, Reach], idle: dict[TopicPartition, float]) -> None:
        unread = await self._kafka.unread(still)
        for tp in still.keys() - unread.keys():
            self._progress.holds_nothing(tp)  # markers of transactions, or it did not answer: no stall for certain
        if unread:
            for tp in unread:
                reach = still[tp]
                words = {"topic": tp.topic, "partition": tp.partition, "committed": reach.committed, "end": reach.end}
                log.critical("stalled", **words, behind=reach.behind, seconds=round(idle[tp]))
            leave(STALLED)

    async def _ages(self, reaches: dict[TopicPartition, Reach]) -> None:
        """Raise the alarm where records may be deleted before they are read, and let it go where that has passed."""
        now = time.monotonic()
        if now - self._aged < AGES_EVERY:
            return
        if now - self._asked > BELIEVED:
            self._retention = await self._kafka.retention()
            self._asked = now
        unread = await self._kafka.unread(reaches)
        self._aged = now
        for tp in reaches:
            seen, about = unread.get(tp), f"unread {_name(tp)}"
            keeps = self._retention.get(tp.topic)
            used = keeps.used(reaches[tp], seen, time.time()) if seen and keeps else 0.0
            if used < ALARM:
                self._health.alarms.pop(about, None)
                continue
            words = (
                f"{_name(tp)}: {reaches[tp].behind} records from offset {reaches[tp].next} on are unread, and have used up "
                f"{used:.0%} of what the topic keeps: mend what stops the worker, or raise the topic's retention, before they "
                "are deleted"
            )
            if about not in self._health.alarms:
                log.critical(
                    "unread records will be deleted", topic=tp.topic, partition=tp.partition, used=round(used, 2)
                )
            self._health.alarms[about] = words


def _name(tp: TopicPartition) -> str:
    return f"{tp.topic}-{tp.partition}"


async def measure_lag(client: dict[str, Any], group: str, topics: tuple[str, ...]) -> dict[str, int]:
    """Records of each topic that the group has not committed, as the brokers tell it, once."""
    kafka = Log(client, group, topics)
    try:
        lag = dict.fromkeys(topics, 0)
        for tp, reach in (await kafka.reach()).items():
            lag[tp.topic] += reach.behind
        return lag
    finally:
        await kafka.close()
