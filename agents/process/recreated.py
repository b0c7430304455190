"""Finds topics that were deleted, and created again, under a running worker.

Kafka deletes a group's committed offsets with the topic, so that the new log begins as if nobody had read it, and what the
old one still held is gone.
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
        """Return, for each partition that is newly found to have begun anew, the offset up to which the old log was read, and
        its last known end.

        The committed offset is gone, or the log ends before its former end. The latter counts at the second check: a broker
        that has just started learns its log's end a moment later.
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
        """Return the seconds for which each of them has had records of which this worker, which should, has read none. `passed`
        is the time since the last check."""
        for tp in list(self._waited):
            reach = reaches.get(tp)
            if tp in others or (reach is not None and reach.committed is not None and reach.committed <= reach.end):
                del self._waited[tp]
            elif reach is not None and reach.behind:
                self._waited[tp] += passed
        return {tp: seconds for tp, seconds in self._waited.items() if seconds}
