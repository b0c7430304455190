"""Decompresses batches with the codecs of Kafka's clients, up to `MOST` bytes and into one buffer.

aiokafka decompresses without a limit: 20 kB of zstd can become 600 MB.
"""

import gzip
import io
from collections.abc import Callable
from struct import unpack_from
from typing import Any

import cramjam
from aiokafka.codec import _detect_xerial_stream

#: The largest decompressed size of a batch, in bytes. Brokers limit only the compressed size (`message.max.bytes`, 1 MiB by
#: default); producers fill batches by uncompressed size (`batch.size`: 16 KiB in Java's client, 1 MB in librdkafka).
MOST = 16 << 20
#: Bytes of gzip that are decompressed at a time.
_PIECE = 1 << 18


class TooLarge(Exception):
    """A batch is larger than `MOST` bytes when decompressed."""

    def __init__(self) -> None:
        super().__init__(f"makes more than {MOST >> 20} MiB")


def gzip_into(packed: Any, head: bytes) -> bytearray:
    """Decompress gzip (RFC 1952) of one or more members after `head`. Raises TooLarge, and what `gzip` raises."""
    out, most = bytearray(head), len(head) + MOST
    with gzip.GzipFile(fileobj=io.BytesIO(packed), mode="r") as file:
        while piece := file.read(_PIECE):
            out += piece
            if len(out) > most:
                raise TooLarge
    return out


def snappy_into(packed: Any, head: bytes) -> bytearray:
    """Decompress snappy after `head`, raw or in the block format of Java's library. A raw block begins with its decompressed
    length. Raises TooLarge, cramjam.DecompressionError and struct.error."""
    view = memoryview(packed)
    if not _detect_xerial_stream(view):
        blocks = [view]
    else:
        blocks, at = [], 16
        while at < len(view):
            (size,) = unpack_from("!i", view, at)
            if size < 0:
                raise cramjam.DecompressionError("a block has no length")
            blocks.append(view[at + 4 : at + 4 + size])
            at += 4 + size
    sizes = list(map(cramjam.snappy.decompress_raw_len, blocks))
    if sum(sizes) > MOST:
        raise TooLarge
    out, at = bytearray(len(head) + sum(sizes)), len(head)
    out[:at] = head
    with memoryview(out) as room:
        for block, size in zip(blocks, sizes, strict=True):
            if size:
                cramjam.snappy.decompress_raw_into(block, room[at : at + size])
            at += size
    return out


def _into(decompress: Callable[[Any, Any], int]) -> Callable[[Any, bytes], bytearray]:
    """Return a decoder that decompresses into a buffer, which grows eightfold until the data fits, up to `MOST`."""

    def decode(packed: Any, head: bytes) -> bytearray:
        room = min(MOST, max(4096, 8 * len(packed)))
        while True:
            out = bytearray(len(head) + room)
            try:
                with memoryview(out) as view:
                    size = decompress(packed, view[len(head) :])
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error):
                    raise
                if room == MOST:
                    raise TooLarge from error
                room = min(MOST, 8 * room)
                continue
            del out[len(head) + size :]
            out[: len(head)] = head
            return out

    return decode


#: Decoders by the number of the codec (https://kafka.apache.org/documentation/#recordbatch). Each returns a buffer that holds
#: the bytes it is given, then the decompressed data.
DECODERS: dict[int, Callable[[Any, bytes], bytearray]] = {
    1: gzip_into,
    2: snappy_into,
    3: _into(cramjam.lz4.decompress_into),
    4: _into(cramjam.zstd.decompress_into),
}
