"""Defines who needs which rights on the brokers, at the least: the table from which Kafka's ACLs are made. Pure.

A user without a row here has no right. Kafka lets who may read or write a topic describe it too, and who may write any topic be
idempotent (https://kafka.apache.org/documentation/#security_authz).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from app.kafka.topics import READ, TOPICS
from app.kafka.unread import GROUP

#: A part of Threadline that logs in to the brokers.
Part = Literal["door", "worker", "topics"]
Operation = Literal["Read", "Write", "Create", "Alter", "DescribeConfigs", "AlterConfigs"]
#: A cluster's name in ACLs.
CLUSTER = "kafka-cluster"


@dataclass(frozen=True, slots=True)
class Right:
    """What a part may do with a resource, and what for."""

    part: Part
    operations: tuple[Operation, ...]
    kind: Literal["topic", "group", "cluster"]
    names: tuple[str, ...]
    purpose: str


_WEBHOOKS = ("webhooks.received",)
_READ = tuple(topic.name for topic in READ)
_DEAD = tuple(f"{name}.dlq" for name in _READ)
_ALL = tuple(topic.name for topic in TOPICS)

RIGHTS: tuple[Right, ...] = (
    Right("door", ("Write",), "topic", _WEBHOOKS, "keep webhooks"),
    Right("door", ("Read", "DescribeConfigs"), "topic", _WEBHOOKS, "see whether unread webhooks will expire"),
    Right("door", ("Read",), "group", (GROUP,), "see how far the workers have read"),
    Right("worker", ("Read", "DescribeConfigs"), "topic", _READ, "read, and see whether unread records will expire"),
    Right("worker", ("Read",), "group", (GROUP,), "share the partitions, and commit what was read"),
    Right("worker", ("Write",), "topic", ("events.recorded",), "publish the log"),
    Right("worker", ("Write",), "topic", _DEAD, "publish dead letters"),
    Right("worker", ("Write",), "topic", _READ, "put the records of replayed dead letters on their topics again"),
    Right("topics", ("Create",), "topic", _ALL, "threadline topics, once and at each upgrade"),
    Right("topics", ("Alter", "DescribeConfigs", "AlterConfigs"), "topic", _ALL, "partitions and record limits"),
)


def commands(users: dict[Part, str], topics: Iterable[str] = ()) -> Iterator[str]:
    """Yield the arguments for `kafka-acls.sh`, one call a line, that give these users their rights. `topics`: further topics that
    the worker writes (anchors of the audit)."""
    more = tuple(topics)
    given = (*RIGHTS, *((Right("worker", ("Write",), "topic", more, "anchor the audit"),) if more else ()))
    for right in given:
        operations = " ".join(f"--operation {one}" for one in right.operations)
        resources = " ".join(f"--{right.kind} {name}" for name in right.names)
        yield f"--add --allow-principal User:{users[right.part]} {operations} {resources}"
