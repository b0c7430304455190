"""Ids: UUIDs of version 7, all different, in order of time."""

import os
import time
from uuid import UUID

from webhooks.ids import uuid7


def test_shape() -> None:
    """Each is a UUID of version 7 whose first 48 bits are the time in milliseconds."""
    before = time.time_ns() // 1_000_000
    ids = [UUID(uuid7()) for _ in range(2000)]
    after = time.time_ns() // 1_000_000
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert all(before <= id.int >> 80 <= after for id in ids)


def test_different() -> None:
    """No two are the same, across refills of the random bytes."""
    assert len({uuid7() for _ in range(5000)}) == 5000


def test_forked() -> None:
    """A forked process mints ids of its own."""
    uuid7()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, "".join(uuid7()[15:] for _ in range(20)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 10_000).decode()
    os.close(reading)
    os.close(writing)
    assert not any(uuid7()[15:] in theirs for _ in range(20))
