"""What the watch makes of committed offsets: who stands still, and for how long."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from agents.health import WorkerHealth
from agents.process.pages import readiness
from agents.process.recreated import Recreated
from agents.process.resuming import QUIET, Resuming
from agents.process.watch import Progress, Watch
from app.kafka.unread import Reach, Retention, Unread

ONE, TWO = TopicPartition("webhooks.received", 0), TopicPartition("webhooks.received", 1)


def test_only_a_commit_is_progress() -> None:
    """The partition of which nothing is committed stands still, however far the log grows and whatever its neighbour does."""
    progress = Progress()
    for look in range(5):
        idle = progress.seen({ONE: Reach(7, 0, 10 + look), TWO: Reach(look, 0, 100)}, (), 5.0)

    assert idle == {ONE: 20.0, TWO: 0.0}
    assert progress.seen({ONE: Reach(8, 0, 20), TWO: Reach(5, 0, 100)}, (), 5.0) == {ONE: 0.0, TWO: 0.0}


def test_what_is_read_to_its_end_does_not_stand_still() -> None:
    """An hour without work is no stall, and the first lag after it begins at nothing."""
    progress = Progress()
    assert progress.seen({ONE: Reach(7, 0, 7)}, (), 3600.0) == {}
    assert progress.seen({ONE: Reach(7, 0, 8)}, (), 5.0) == {ONE: 0.0}


def test_another_workers_partition_is_not_ours_to_end_for() -> None:
    """And when it becomes ours, its clock begins anew."""
    progress = Progress()
    for _ in range(5):
        assert progress.seen({ONE: Reach(7, 0, 10)}, {ONE}, 5.0) == {}
    assert progress.seen({ONE: Reach(7, 0, 10)}, (), 5.0) == {ONE: 0.0}


def test_a_partition_that_was_never_committed_stands_still_as_well() -> None:
    """It begins at the log's first offset."""
    progress = Progress()
    progress.seen({ONE: Reach(None, 4, 10)}, (), 5.0)
    assert progress.seen({ONE: Reach(None, 4, 10)}, (), 5.0) == {ONE: 5.0}


def test_time_without_an_answer_of_the_brokers_does_not_count() -> None:
    """A look that failed passes 0 to the one after it."""
    progress = Progress()
    progress.seen({ONE: Reach(7, 0, 10)}, (), 5.0)
    assert progress.seen({ONE: Reach(7, 0, 10)}, (), 0.0) == {ONE: 0.0}


def test_a_gap_is_what_was_committed_before_the_logs_beginning() -> None:
    """Offsets that are not there inside of the log are none, nor is a group that never read it."""
    assert Reach(4, 9, 20).gap == (4, 9)
    assert Reach(9, 9, 20).gap is None
    assert Reach(None, 9, 20).gap is None
    assert Reach(4, 9, 20).behind == 11
    assert Reach(30, 0, 20).truncated


def test_the_unread_part_uses_up_the_retention_by_age_and_by_size() -> None:
    """Whichever is nearer. What is kept for ever is never used up."""
    reach, unread = Reach(0, 0, 100), Unread(since=1000.0, size=50.0)

    assert Retention(100.0, None).used(reach, unread, 1075.0) == 0.75
    assert Retention(100.0, 10_000).used(reach, unread, 1010.0) == 0.5
    assert Retention(None, None).used(reach, unread, 9e9) == 0.0


def test_a_topic_that_lost_its_committed_offset_was_recreated() -> None:
    """Kafka deletes the group's offsets with the topic. What was read, and what was there, is of the last check before; a
    topic that is missing in between is named."""
    found = Recreated()
    assert found.seen({ONE: Reach(7, 0, 10), TWO: Reach(None, 0, 0)}) == {}
    assert found.missing({TWO: Reach(None, 0, 0)}) == set()
    assert found.missing({}) == {"webhooks.received"}
    assert found.seen({}) == {}
    assert found.seen({ONE: Reach(None, 0, 2), TWO: Reach(None, 0, 3)}) == {ONE: (7, 10)}
    assert found.seen({ONE: Reach(None, 0, 2), TWO: Reach(None, 0, 3)}) == {}


def test_a_log_that_ends_before_its_former_end_counts_at_the_second_check() -> None:
    """A broker that has just started learns its log's end a moment later."""
    found = Recreated()
    found.seen({ONE: Reach(10, 0, 10)})
    assert found.seen({ONE: Reach(10, 0, 4)}) == {}
    assert found.seen({ONE: Reach(10, 0, 10)}) == {}
    assert found.seen({ONE: Reach(10, 0, 4)}) == {}
    assert found.seen({ONE: Reach(10, 0, 5)}) == {ONE: (10, 10)}


def test_a_recreated_topic_waits_until_it_is_read_by_anyone() -> None:
    """The time counts only while it has records."""
    found = Recreated()
    found.seen({ONE: Reach(7, 0, 7), TWO: Reach(7, 0, 7)})
    found.seen({ONE: Reach(None, 0, 0), TWO: Reach(None, 0, 1)})
    assert found.unread({ONE: Reach(None, 0, 0), TWO: Reach(None, 0, 1)}, (), 5.0) == {TWO: 5.0}
    assert found.unread({ONE: Reach(None, 0, 2), TWO: Reach(None, 0, 1)}, (), 5.0) == {ONE: 5.0, TWO: 10.0}
    assert found.unread({ONE: Reach(2, 0, 2), TWO: Reach(None, 0, 1)}, (), 5.0) == {TWO: 15.0}
    assert found.unread({TWO: Reach(None, 0, 1)}, {TWO}, 5.0) == {}


def test_after_an_outage_a_partition_waits_until_it_is_committed() -> None:
    """Behind and not committed, it waits, however long; the neighbour that moves on does not. Once none waits, the outage is
    over, and a partition that stands still later is none of its concern."""
    found = Resuming()
    found.lost()
    assert found.waiting({ONE: Reach(7, 0, 10), TWO: Reach(3, 0, 9)}, {ONE, TWO}, 0.0) == {ONE, TWO}
    assert found.waiting({ONE: Reach(7, 0, 12), TWO: Reach(5, 0, 9)}, {ONE, TWO}, 5.0) == {ONE}
    assert found.outage
    assert found.waiting({ONE: Reach(9, 0, 12), TWO: Reach(6, 0, 9)}, {ONE, TWO}, 5.0) == set()
    assert not found.outage


def test_records_that_come_after_the_outage_are_waited_for() -> None:
    """Nothing unread at the first check is no proof that the consumer reads; a minute of it ends the outage."""
    found = Resuming()
    found.lost()
    assert found.waiting({ONE: Reach(7, 0, 7)}, (), 0.0) == set()
    assert found.waiting({ONE: Reach(7, 0, 8)}, {ONE}, 5.0) == {ONE}
    assert found.outage
    assert found.waiting({ONE: Reach(8, 0, 8)}, (), 5.0) == set()
    assert not found.outage
    found.lost()
    assert found.waiting({ONE: Reach(8, 0, 8)}, (), QUIET - 1) == set()
    assert found.outage
    assert found.waiting({ONE: Reach(8, 0, 8)}, (), 5.0) == set()
    assert not found.outage


class Scripted:
    """Stands for `app.kafka.unread.Log`: the answers of one check after the other; None is no answer. The last one ends the
    watch."""

    def __init__(self, *answers: Mapping[TopicPartition, Reach] | None, health: WorkerHealth) -> None:
        self.answers, self.health = [*answers], health
        self.states: list[str] = []

    async def reach(self) -> Mapping[TopicPartition, Reach]:
        self.states.append(readiness(self.health)["status"])
        if not self.answers:
            raise asyncio.CancelledError
        if (answer := self.answers.pop(0)) is None:
            raise TimeoutError
        return answer

    async def owners(self) -> dict[TopicPartition, str]:
        return {TWO: "another"}

    async def unread(self, reaches: Mapping[TopicPartition, Reach]) -> dict[TopicPartition, Unread]:
        return {tp: Unread(9e9, 1.0) for tp, reach in reaches.items() if reach.behind}

    async def retention(self) -> dict[str, Retention]:
        return {}


async def test_a_worker_is_ready_again_when_it_commits() -> None:
    """After an outage an answer of the brokers is not enough: the first commit of what is behind makes it ready. Another
    worker's partition is not waited for, and a lag without an outage before makes nobody unready."""
    health = WorkerHealth()
    health.ready = True
    behind, other = Reach(7, 0, 10), Reach(3, 0, 9)
    kafka = Scripted(
        {ONE: behind}, {ONE: behind}, None, {ONE: behind, TWO: other}, {ONE: behind, TWO: other},
        {ONE: Reach(9, 0, 10), TWO: other}, {ONE: Reach(9, 0, 10), TWO: other}, health=health,
    )  # fmt: skip
    gaps: Any = SimpleNamespace(stored=True)
    with pytest.raises(asyncio.CancelledError):
        await Watch(health, kafka, lambda: "me", gaps, 60.0).run(0.0)  # type: ignore[arg-type]
    assert kafka.states == ["ok", "ok", "ok", "not ready", "not ready", "not ready", "ok", "ok"]
