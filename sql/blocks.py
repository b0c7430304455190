"""Packs a batch's raw webhooks into a block: each record after its length (4 bytes, big-endian), compressed by zstd."""

from collections.abc import Iterator, Sequence

import zstandard

#: Webhooks resemble one another: even the fastest level makes them several times smaller (see bench).
LEVEL = 1
_MOST = 1 << 31


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
