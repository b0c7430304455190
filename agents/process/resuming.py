"""Tells whether the consumer reads again after an outage of Kafka.

After a silent cut (packets dropped without an error) the watch, whose connections are its own, gets answers within seconds,
while the consumer may wait half a minute longer for answers to requests from before the cut. A worker is ready again when it
commits, not when a broker answers.
"""

from collections.abc import Collection, Mapping

from aiokafka import TopicPartition

from app.kafka.unread import Reach

#: Seconds without unread records after which an outage counts as over, although nothing was there to be committed.
QUIET = 60.0


class NotResumed(Exception):
    """Kafka is back, and these partitions have unread records of which nothing was committed since."""


class Resuming:
    """The partitions of one worker after an outage (`outage`); outside of one, nothing is looked at."""

    def __init__(self) -> None:
        self.outage = False
        self._before: dict[TopicPartition, int] = {}
        self._quiet = 0.0

    def lost(self) -> None:
        """Note that the brokers did not answer."""
        self.outage, self._quiet = True, 0.0
        self._before.clear()

    def waiting(
        self, reaches: Mapping[TopicPartition, Reach], unread: Collection[TopicPartition], passed: float
    ) -> set[TopicPartition]:
        """Return those of this worker's partitions that hold unread records and of which nothing was committed since the check
        before. The outage is over at the first check at which one has moved on and none waits. `passed` is the time since the
        last check in seconds."""
        waiting = {tp for tp in unread if reaches[tp].next <= self._before.get(tp, reaches[tp].next)}
        moved = any(reach.next > self._before.get(tp, reach.next) for tp, reach in reaches.items())
        self._quiet = 0.0 if waiting else self._quiet + passed
        self._before = {tp: reach.next for tp, reach in reaches.items()}
        self.outage = bool(waiting) or not (moved or self._quiet >= QUIET)
        return waiting
