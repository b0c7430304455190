"""Compares committed offsets with the log's end for each partition, and ends the process if a partition makes no progress.

Faust agents can stop without an error (faust-streaming #175, #523, #532), and so can its consumer. Only a commit counts as
progress. The watch runs in its own thread, so that it notices a blocked event loop too.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import TopicPartition

from agents.health import WorkerHealth
from agents.process.ending import leave
from agents.process.gaps import Gaps
from agents.process.recreated import Recreated
from agents.process.resuming import NotResumed, Resuming
from app.kafka.unread import Log, Reach, Retention
from webhooks.cancelled import pass_on, rest

log = structlog.get_logger(__name__)

#: Exit status of a worker that ended itself (EX_SOFTWARE of sysexits.h); the supervisor starts another.
STALLED = 70
#: Seconds between two checks, between two checks of the age of unread records, and for which a topic's retention is cached.
EVERY, AGES_EVERY, BELIEVED = 5.0, 30.0, 300.0
#: Seconds after which the process ends if it reads nothing of a topic that was recreated.
RECREATED = 15.0
#: The alarm is raised when unread records have used up this share of their topic's retention.
ALARM = 0.5


class Progress:
    """How long each partition has lagged without a commit. Time during which the brokers did not answer does not count."""

    def __init__(self) -> None:
        self._since: dict[TopicPartition, tuple[int, float]] = {}

    def seen(
        self, reaches: Mapping[TopicPartition, Reach], others: Collection[TopicPartition], passed: float
    ) -> dict[TopicPartition, float]:
        """Return the seconds without progress of each lagging partition that no other member has. `passed` is the time since the
        last check, or 0 if that failed."""
        now: dict[TopicPartition, tuple[int, float]] = {}
        for tp, reach in reaches.items():
            if reach.behind and tp not in others:
                offset, idle = self._since.get(tp, (-1, 0.0))
                now[tp] = (reach.next, idle + passed) if offset == reach.next else (reach.next, 0.0)
        self._since = now
        return {tp: idle for tp, (_, idle) in now.items()}

    def holds_nothing(self, tp: TopicPartition) -> None:
        """Reset a partition whose unread offsets hold no record."""
        self._since.pop(tp, None)


class Watch:
    """The watch of one worker. `member` returns its id in the consumer group, or None; gaps are reported to `gaps`."""

    def __init__(
        self, health: WorkerHealth, kafka: Log, member: Callable[[], str | None], gaps: Gaps, stall_after: float
    ) -> None:
        self._health, self._kafka, self._member, self._gaps = health, kafka, member, gaps
        self._stall_after = stall_after
        self._progress = Progress()
        self._retention: dict[str, Retention] = {}
        self._asked = self._aged = float("-inf")
        #: Partitions whose log ended before the committed offset at the last check.
        self._cut: set[TopicPartition] = set()
        self._recreated, self._resuming = Recreated(), Resuming()

    def start(self) -> None:
        """Run in a thread for as long as the process lives."""
        threading.Thread(target=lambda: asyncio.run(self.run()), name="watch", daemon=True).start()

    async def run(self, every: float = EVERY) -> None:
        """Check without end. End the process (status `STALLED`) if one of its partitions makes no progress for too long."""
        last: float | None = None
        while True:
            now = time.monotonic()
            try:
                waiting = await self._look(0.0 if last is None else now - last)
                last = now
                if waiting:
                    self._health.fails(
                        "kafka", NotResumed(f"nothing committed since Kafka is back: {', '.join(waiting)}")
                    )
                else:
                    self._health.works("kafka")
            except Exception as error:  # the brokers are unreachable, which is no stall of this worker
                pass_on(error)
                last = None
                self._resuming.lost()
                self._health.fails("kafka", error)
            await rest(every)

    async def _look(self, passed: float) -> list[str]:
        """Check once; return the partitions that are not read yet after an outage."""
        reaches = await self._kafka.reach()
        lag = dict.fromkeys((tp.topic for tp in reaches), 0)
        for tp, reach in reaches.items():
            lag[tp.topic] += reach.behind
            if reach.gap is not None:
                self._gaps.found(tp.topic, tp.partition, *reach.gap)
            # Only at the second check: a broker that has just started learns its log's end a moment later.
            elif reach.truncated and tp in self._cut:
                self._gaps.truncated(tp.topic, tp.partition, reach.committed or 0, reach.end)
        self._cut = {tp for tp, reach in reaches.items() if reach.truncated}
        self._begun_anew(reaches)
        self._health.lag = lag
        others = await self._others() if any(lag.values()) else set()
        idle = self._progress.seen(reaches, others, passed) if any(lag.values()) else {}
        self._health.idle = {_name(tp): round(seconds, 1) for tp, seconds in idle.items() if seconds}
        if still := {tp: reaches[tp] for tp, seconds in idle.items() if seconds > self._stall_after}:
            await self._end(still, idle)
        waited = self._recreated.unread(reaches, others, passed)
        if any(seconds > RECREATED for seconds in waited.values()) and self._gaps.stored:
            for tp, seconds in waited.items():
                words = {"topic": tp.topic, "partition": tp.partition, "behind": reaches[tp].behind}
                log.critical("a topic was recreated and is not read", **words, seconds=round(seconds))
            leave(STALLED)
        await self._ages(reaches)
        if not self._resuming.outage:
            return []
        ours = {tp: reach for tp, reach in reaches.items() if tp not in others}
        return sorted(map(_name, self._resuming.waiting(ours, await self._kafka.unread(ours), passed)))

    def _begun_anew(self, reaches: Mapping[TopicPartition, Reach]) -> None:
        """Report topics that are missing, and as gaps those that were deleted and created again."""
        for tp, (read, end) in self._recreated.seen(reaches).items():
            if end > read:
                self._gaps.found(tp.topic, tp.partition, read, end)
            else:
                self._gaps.truncated(tp.topic, tp.partition, read, min(reaches[tp].end, read - 1))
        missing = self._recreated.missing(reaches)
        for about in [name for name in self._health.alarms if name.startswith("missing ")]:
            if about.removeprefix("missing ") not in missing:
                self._health.alarms.pop(about, None)
        for topic in missing:
            if f"missing {topic}" not in self._health.alarms:
                log.critical("a topic that is read is missing", topic=topic)
            self._health.alarms[f"missing {topic}"] = (
                f"{topic}: the topic was deleted; create it with: threadline topics"
            )

    async def _others(self) -> set[TopicPartition]:
        """Return the partitions that another member has. Unassigned partitions count as ours: this worker may have left the
        group."""
        member = self._member()
        return {tp for tp, owner in (await self._kafka.owners()).items() if owner != member}

    async def _end(self, still: dict[TopicPartition, Reach], idle: dict[TopicPartition, float]) -> None:
        unread = await self._kafka.unread(still)
        for tp in still.keys() - unread.keys():
            self._progress.holds_nothing(tp)  # transaction markers, or no answer: not certainly a stall
        if unread:
            for tp in unread:
                reach = still[tp]
                words = {"topic": tp.topic, "partition": tp.partition, "committed": reach.committed, "end": reach.end}
                log.critical("stalled", **words, behind=reach.behind, seconds=round(idle[tp]))
            leave(STALLED)

    async def _ages(self, reaches: dict[TopicPartition, Reach]) -> None:
        """Raise an alarm for partitions whose records may be deleted unread, and clear it when the danger is over."""
        now = time.monotonic()
        if now - self._aged < AGES_EVERY:
            return
        if now - self._asked > BELIEVED:
            self._retention = await self._kafka.retention()
            self._asked = now
        unread = await self._kafka.unread(reaches)
        self._aged, wall = now, time.time()
        ages = dict.fromkeys((tp.topic for tp in reaches), 0.0)
        for tp, first in unread.items():
            ages[tp.topic] = max(ages[tp.topic], wall - first.since)
        self._health.ages = ages
        for tp in reaches:
            seen, about = unread.get(tp), f"unread {_name(tp)}"
            keeps = self._retention.get(tp.topic)
            used = keeps.used(reaches[tp], seen, time.time()) if seen and keeps else 0.0
            if used < ALARM:
                self._health.alarms.pop(about, None)
                continue
            words = (
                f"{_name(tp)}: {reaches[tp].behind} records from offset {reaches[tp].next} on are unread, and have used up "
                f"{used:.0%} of the topic's retention: fix what stops the worker, or raise the topic's retention, before they "
                "are deleted"
            )
            if about not in self._health.alarms:
                log.critical(
                    "unread records will be deleted", topic=tp.topic, partition=tp.partition, used=round(used, 2)
                )
            self._health.alarms[about] = words


def _name(tp: TopicPartition) -> str:
    return f"{tp.topic}-{tp.partition}"
