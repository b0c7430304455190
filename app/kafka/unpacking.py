"""Skips record batches that aiokafka cannot decode: damaged compression, more than `MOST` bytes decompressed, or a header name
that is not UTF-8.

aiokafka raises such an error from its consumer at every fetch, so that the partition is stuck. Here the rest of the batch
becomes one record with the reason, and reading continues with the next batch. aiokafka also decompresses without a limit:
20 kB of zstd can become 600 MB.

Written against aiokafka 0.14 (`aiokafka/consumer/fetcher.py`, `PartitionRecords`; `aiokafka/codec.py`).
"""

import gzip
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import unpack_from
from typing import Any

import cramjam
from aiokafka.codec import _detect_xerial_stream
from aiokafka.consumer import fetcher
from aiokafka.record import default_records, legacy_records
from aiokafka.record._crecords import default_records as c_default_records
from aiokafka.record._crecords import legacy_records as c_legacy_records
from aiokafka.structs import ConsumerRecord

#: The largest decompressed size of a batch, in bytes. Brokers limit only the compressed size (`message.max.bytes`, 1 MiB by
#: default); producers fill batches by uncompressed size (`batch.size`: 16 KiB in Java's client, 1 MB in librdkafka).
#: More would also let one record with millions of empty headers hold aiokafka's parser for many seconds.
MOST = 16 << 20


class TooLarge(Exception):
    """A batch is larger than `MOST` bytes when decompressed."""

    def __init__(self) -> None:
        super().__init__(f"makes more than {MOST >> 20} MiB")


def gzip_decode(packed: Any) -> bytes:
    """Decompress gzip (RFC 1952) of one or more members. Raises TooLarge, and what `gzip` raises."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed), mode="r") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise TooLarge
    return data


def snappy_decode(packed: Any) -> bytes:
    """Decompress snappy, raw or in the block format of Java's library. A raw block begins with its decompressed length. Raises
    TooLarge, cramjam.DecompressionError and struct.error."""
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
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > MOST:
        raise TooLarge
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _into(unpack: Callable[[Any, bytearray], int]) -> Callable[[Any], bytes]:
    """Return a decoder that decompresses into a buffer, which grows eightfold until the data fits, up to `MOST`."""

    def decode(packed: Any) -> bytes:
        room = min(MOST, max(4096, 8 * len(packed)))
        while True:
            out = bytearray(room)
            try:
                return bytes(memoryview(out)[: unpack(packed, out)])
            except cramjam.DecompressionError as error:
                if "whole buffer" not in str(error):
                    raise
                if room == MOST:
                    raise TooLarge from error
            room = min(MOST, 8 * room)

    return decode


#: Decoders by the names that aiokafka's record modules use.
DECODERS: dict[str, Callable[[Any], bytes]] = {
    "gzip_decode": gzip_decode,
    "snappy_decode": snappy_decode,
    "lz4_decode": _into(cramjam.lz4.decompress_into),
    "zstd_decode": _into(cramjam.zstd.decompress_into),
}


@dataclass
class Unread(ConsumerRecord):  # type: ignore[misc]  # aiokafka ships no types that mypy can follow
    """Stands for the rest of a batch. Its offset is that of the batch's last record; `unread` is the reason."""

    unread: str = ""


@dataclass(frozen=True)
class _Rest:
    """The rest of a batch, with the attributes that aiokafka reads from a record."""

    offset: int
    timestamp: int
    unread: str
    timestamp_type: int = 0
    key: None = None
    value: None = None
    checksum: None = None
    headers: tuple[()] = ()


class _Batch:
    """A batch that yields its rest as one record when decoding fails."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        first = self._batch.base_offset
        try:
            for record in self._batch:
                yield record
                first = record.offset + 1
        except Exception as error:  # the parser can raise anything
            last = self._batch.next_offset - 1
            words = f"records {first} to {last} cannot be unpacked: {str(error) if isinstance(error, TooLarge) else type(error).__name__}"
            yield _Rest(last, max(0, getattr(self._batch, "max_timestamp", None) or 0), words)


class _Batches:
    """The batches of one fetch."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        """Return the next batch."""
        return _Batch(self._records.next_batch())


class PastTheUnreadable(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition."""

    def __init__(self, tp: Any, records: Any, *more: Any, **others: Any) -> None:
        super().__init__(tp, _Batches(records), *more, **others)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if not isinstance(record, _Rest):
            return super()._consumer_record(tp, record)
        return Unread(
            tp.topic, tp.partition, record.offset, record.timestamp, 0, None, None, None, -1, -1, (), unread=record.unread
        )  # fmt: skip


def install(largest: int = 0) -> None:
    """Install this in aiokafka for all consumers of the process, and make room for batches with a record of `largest` bytes.
    Idempotent."""
    global MOST
    MOST = max(MOST, 2 * largest)
    fetcher.PartitionRecords = PastTheUnreadable
    for module in (default_records, legacy_records, c_default_records, c_legacy_records):
        for name, decode in DECODERS.items():
            if hasattr(module, name):
                setattr(module, name, decode)
