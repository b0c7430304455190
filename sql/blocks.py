"""Packs a batch's raw webhooks into a block: each record after its length (4 bytes, big-endian), compressed by zstd, and sealed."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import zstandard

from sql.hour_keys import HourKeys

#: The place of blocks, as `sql.hour_keys` takes it.
PLACE = b"raw_webhooks"
#: Webhooks resemble one another: even the fastest level makes them several times smaller (see bench).
LEVEL = 1
#: Blocks larger than this (bytes) are made in a thread, not on the event loop.
LARGE = 1 << 18
_MOST = 1 << 31


async def block_of(raw: Sequence[bytes], hours: HourKeys) -> dict[str, Any]:
    """Return the parameters of `keep` for these records. Raises NoKey."""

    def made() -> dict[str, Any]:
        size, packed = pack(raw)  # before sealing: sealed bytes do not compress
        return {"records": len(raw), "size": size, "body": hours.seal("raw", PLACE, packed)}

    return await asyncio.to_thread(made) if sum(map(len, raw)) > LARGE else made()


def pack(records: Sequence[bytes]) -> tuple[int, bytes]:
    """Return the size of the records with their lengths, in bytes, and the block that holds them."""
    plain = b"".join(part for record in records for part in (len(record).to_bytes(4, "big"), record))
    return len(plain), zstandard.ZstdCompressor(level=LEVEL).compress(plain)


def unpack(block: bytes) -> Iterator[bytes]:
    """Yield the records of a block. Raises zstandard.ZstdError if it is not a block."""
    plain = memoryview(zstandard.ZstdDecompressor().decompress(block, max_output_size=_MOST))
    place = 0
    while place < len(plain):
        end = place + 4 + int.from_bytes(plain[place : place + 4], "big")
        yield bytes(plain[place + 4 : end])
        place = end
