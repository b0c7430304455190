"""Where the relay puts an event."""

from uuid import uuid4

from aiokafka.partitioner import DefaultPartitioner

from agents.telling.relay import partition_of


def test_a_key_has_the_partition_that_any_producer_would_give_it() -> None:
    """Whoever else writes a customer's records puts them into the same partition."""
    theirs, partitions = DefaultPartitioner(), list(range(12))
    keys = [str(uuid4()).encode() for _ in range(200)] + [b"", b"a", b"ab", b"abc"]
    assert [partition_of(key, partitions) for key in keys] == [theirs(key, partitions, []) for key in keys]
