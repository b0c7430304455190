"""Seals large bodies as they arrive, in frames, so that none of them is on disk readably and none is in memory for it.

A sealed body is `magic and version (5 bytes) · random (16)`, then frames of `length (4, big-endian) · sealed record`
(`sql.sealed_records`). The place of a frame is the random bytes, its number, and whether it is the last, which is empty. All are under one
key. That the body is the one that its name stands for is known by its digest (`webhooks.blobs.matches`).
"""

import asyncio
import os
from collections.abc import Iterator
from typing import Protocol

from sql.hour_keys import HourKeys
from sql.sealed_records import Key
from sql.sealing import Tampered

MAGIC = b"\x93tlf\x01"
_RANDOM, _LENGTH = 16, 4
_HEAD = len(MAGIC) + _RANDOM
_PURPOSE = "blobs"


class Keys(Protocol):
    """What has the keys: the store (`sql.hours`)."""

    hours: HourKeys

    async def keys_for(self, records: "list[bytes | None]") -> None: ...


class Sealing:
    """Seals one body."""

    def __init__(self, hours: HourKeys) -> None:
        """Take the key of this hour. Raises NoKey."""
        self._key, self._random = hours.key(_PURPOSE), os.urandom(_RANDOM)
        self._number = 0

    def frame(self, piece: bytes, *, last: bool = False) -> bytes:
        """Return the next frame, with what stands before the first. The last piece is to be empty."""
        sealed = self._key.seal(_place(self._random, self._number, last), piece)
        before = b"" if self._number else MAGIC + self._random
        self._number += 1
        return b"".join((before, len(sealed).to_bytes(_LENGTH, "big"), sealed))

    def opened(self, data: bytes) -> bytes:
        """Return the body from all of its frames. Raises Tampered."""
        return _joined(data, self._key)


def sealing(hours: HourKeys | None) -> Sealing | None:
    """Return what seals a body; None where bodies are left as they are."""
    return Sealing(hours) if hours is not None and hours.seals(_PURPOSE) else None


def is_sealed(data: bytes) -> bool:
    """Return whether this begins as a sealed body. A body that nobody sealed may begin so too."""
    return data.startswith(MAGIC)


async def opened(data: bytes, keys: Keys) -> bytes:
    """Return the body that was sealed; one that was not, as it is. Raises Tampered, NoKey, Destroyed and UnknownKey, and what the
    store raises."""
    if not is_sealed(data):
        return data
    first = next(_frames(data), b"")
    await keys.keys_for([first])
    return await asyncio.to_thread(open_frames, data, keys.hours)


def open_frames(data: bytes, hours: HourKeys) -> bytes:
    """Return the body that was sealed. Raises as `opened`."""
    return _joined(data, hours.opening(next(_frames(data), b"")))


def _joined(data: bytes, key: Key) -> bytes:
    random, pieces = data[len(MAGIC) : _HEAD], list(_frames(data))
    last = len(pieces) - 1
    if not pieces:
        raise Tampered("it was cut short since it was sealed")
    return b"".join([key.open(sealed, _place(random, n, n == last)) for n, sealed in enumerate(pieces)])


def _frames(data: bytes) -> Iterator[bytes]:
    at = _HEAD
    while at < len(data):
        end = at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "big")
        if end > len(data):
            raise Tampered("it was cut short since it was sealed")
        yield data[at + _LENGTH : end]
        at = end


def _place(random: bytes, number: int, last: bool) -> bytes:
    return b"blob " + random + number.to_bytes(8, "big") + bytes((last,))
