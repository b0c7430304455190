"""Skips record batches that aiokafka cannot decode: damaged compression, more bytes decompressed or more records than a batch
may have (`codecs`, `counting`), or a header name that is not UTF-8; and takes the headers of a record that has too many.

aiokafka raises such an error from its consumer at every fetch, so that the partition is stuck. Here the rest of the batch
becomes one record with the reason, and reading continues with the next batch. A record with too many headers becomes a record
with the reason and without headers; the others of its batch are read.

Written against aiokafka 0.14 (`aiokafka/consumer/fetcher.py`, `PartitionRecords`; `aiokafka/record/memory_records.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import pack_into, unpack_from
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record import legacy_records
from aiokafka.record._crecords import legacy_records as c_legacy_records
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord

from app.kafka import codecs, counting
from app.kafka.codecs import DECODERS, TooLarge
from app.kafka.counting import TooMany, crowded, without

#: Places in a batch: its length, format, attributes, number of records, and records
#: (https://kafka.apache.org/documentation/#recordbatch).
_LENGTH, _FORMAT, _ATTRIBUTES, _COUNT, _RECORDS = 8, 16, 21, 57, 61
#: The attributes' bits that name the codec.
_CODEC = 0x07


@dataclass
class Unread(ConsumerRecord):  # type: ignore[misc]  # aiokafka ships no types that mypy can follow
    """A record that is not read, for the reason in `unread`: one without its headers, or one with the last offset of a batch that
    stands for the batch's rest."""

    unread: str = ""


@dataclass(frozen=True)
class _Unread:
    """What stands for an unread record, with the attributes that aiokafka reads from a record."""

    offset: int
    timestamp: int
    unread: str
    key: bytes | None = None
    value: bytes | None = None
    timestamp_type: int = 0
    checksum: None = None
    headers: tuple[()] = ()


class _Batch:
    """A batch and its bytes. Yields the records with too many headers without them, and the rest as one record when decoding
    fails."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        first = self._batch.base_offset
        try:
            batch, reasons = (self._batch, {}) if self._data[_FORMAT] < 2 else _within_budget(self._batch, self._data)
            for number, record in enumerate(batch):
                if reasons and number in reasons:
                    yield _Unread(record.offset, record.timestamp or 0, reasons[number], record.key, record.value)
                elif (headers := len(record.headers)) > counting.MOST_HEADERS:  # in a small batch
                    yield _Unread(
                        record.offset, record.timestamp or 0, counting.too_many(headers), record.key, record.value
                    )
                else:
                    yield record
                first = record.offset + 1
        except Exception as error:  # the parser can raise anything
            last = self._batch.next_offset - 1
            why = str(error) if isinstance(error, TooLarge | TooMany) else type(error).__name__
            words = f"records {first} to {last} cannot be unpacked: {why}"
            yield _Unread(last, max(0, getattr(self._batch, "max_timestamp", None) or 0), words)


def _within_budget(batch: Any, data: memoryview) -> tuple[Any, dict[int, str]]:
    """Return the batch, decompressed and without the headers of records that have too many, and why for each of these records by
    its place in the batch. Raises TooLarge, TooMany, and anything if the batch is damaged."""
    (count,) = unpack_from(">i", data, _COUNT)
    (attributes,) = unpack_from(">h", data, _ATTRIBUTES)
    plain: memoryview | bytearray = data
    if codec := attributes & _CODEC:
        plain = DECODERS[codec](data[_RECORDS:], bytes(data[:_RECORDS]))
        pack_into(">h", plain, _ATTRIBUTES, attributes & ~_CODEC)
    if found := crowded(plain, _RECORDS, count):
        plain = without(plain, found)
    return batch if plain is data else DefaultRecordBatch(plain), {one.number: one.reason for one in found}


class Records:
    """The batches of one fetch, in place of aiokafka's class, whose batches do not give their bytes."""

    def __init__(self, data: bytes) -> None:
        self._records, self._data, self._at = MemoryRecords(data), memoryview(data), 0

    def size_in_bytes(self) -> int:
        """Return the size of the fetch in bytes."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        """Return the next batch."""
        batch = self._records.next_batch()
        (length,) = unpack_from(">i", self._data, self._at + _LENGTH)
        start, self._at = self._at, self._at + _LENGTH + 4 + length
        return _Batch(batch, self._data[start : self._at])


class PastTheUnreadable(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch of one partition."""

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if not isinstance(record, _Unread):
            return super()._consumer_record(tp, record)
        key, value = record.key, record.value
        return Unread(
            tp.topic, tp.partition, record.offset, record.timestamp, 0, key, value, None,
            -1 if key is None else len(key), -1 if value is None else len(value), (), unread=record.unread,
        )  # fmt: skip


def _decoder(codec: int) -> Callable[[Any], bytes]:
    return lambda packed: bytes(DECODERS[codec](packed, b""))


def install(largest: int = 0) -> None:
    """Install this in aiokafka for all consumers of the process, and make room for batches with a record of `largest` bytes.
    Idempotent."""
    codecs.MOST = max(codecs.MOST, 2 * largest)
    fetcher.MemoryRecords, fetcher.PartitionRecords = Records, PastTheUnreadable
    # Batches of the formats before 2, which have no headers.
    for module in (legacy_records, c_legacy_records):
        for codec, name in enumerate(("gzip_decode", "snappy_decode", "lz4_decode"), start=1):
            if hasattr(module, name):
                setattr(module, name, _decoder(codec))
