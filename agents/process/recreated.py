"""Finds topics that were deleted, and created again, under a running worker.

Kafka deletes a group's committed offsets together with the topic. The new log is read from its start, and unread
records of the old log are lost.
"""

from collections.abc import Collection, Mapping

from aiokafka import TopicPartition

from app.kafka.unread import Reach


class Recreated:
    """The partitions of one group, compared from check to check."""

    def __init__(self) -> None:
        self._before: dict[TopicPartition, Reach] = {}
        self._shorter: set[TopicPartition] = set()
        self._waited: dict[TopicPartition, float] = {}

    def missing(self, reaches: Mapping[TopicPartition, Reach]) -> set[str]:
        """Return the topics that were there before and are not now."""
        return {tp.topic for tp in self._before} - {tp.topic for tp in reaches}

    def seen(self, reaches: Mapping[TopicPartition, Reach]) -> dict[TopicPartition, tuple[int, int]]:
        """Return the partitions newly found to have been recreated, each with the offset up to which its old log was
        read, and the last known end of that log.

        A partition was recreated if its committed offset is gone, or if its log ends before its former end at two
        checks in a row: a broker that has just started learns its log's end a moment later.
        """
        found: dict[TopicPartition, tuple[int, int]] = {}
        shorter: set[TopicPartition] = set()
        for tp, reach in reaches.items():
            before = self._before.get(tp, reach)
            gone = before.committed is not None and reach.committed is None
            if not gone and reach.end < before.end:
                shorter.add(tp)
                gone = tp in self._shorter
            if gone and before.end:
                found[tp] = (before.next, max(before.end, before.next))
                self._waited[tp] = 0.0
            if gone or tp not in shorter:
                self._before[tp] = reach
        self._shorter = shorter - found.keys()
        return found

    def unread(
        self, reaches: Mapping[TopicPartition, Reach], others: Collection[TopicPartition], passed: float
    ) -> dict[TopicPartition, float]:
        """Return for how many seconds each recreated partition has held records while this worker committed none of
        them. Partitions of `others` are left out. `passed` is the time since the last check."""
        for tp in list(self._waited):
            reach = reaches.get(tp)
            if tp in others or (reach is not None and reach.committed is not None and reach.committed <= reach.end):
                del self._waited[tp]
            elif reach is not None and reach.behind:
                self._waited[tp] += passed
        return {tp: seconds for tp, seconds in self._waited.items() if seconds}
