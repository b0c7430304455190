"""Reads past what Kafka's client cannot unpack: a batch whose compressed part is damaged, a record's header that is no UTF-8.

aiokafka raises such a fault out of its consumer, at each fetch again: the partition stands still for everybody. Here the
rest of that batch becomes one record that says why it could not be read, and the next batch follows.

Written against aiokafka 0.14 (`aiokafka/consumer/fetcher.py`, `PartitionRecords`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.structs import ConsumerRecord


@dataclass
class Unread(ConsumerRecord):  # type: ignore[misc]  # aiokafka ships no types that mypy can follow
    """What stands for the rest of a batch: its offset is that of the batch's last record, `unread` says why."""

    unread: str = ""


@dataclass(frozen=True)
class _Rest:
    """The rest of a batch, with what aiokafka asks of a record."""

    offset: int
    timestamp: int
    unread: str
    timestamp_type: int = 0
    key: None = None
    value: None = None
    checksum: None = None
    headers: tuple[()] = ()


class _Batch:
    """A batch that gives its rest as one record where it cannot be read on."""

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
        except Exception as error:  # whatever the bytes make of the parser
            last = self._batch.next_offset - 1
            words = f"records {first} to {last} cannot be unpacked: {type(error).__name__}"
            yield _Rest(last, max(0, getattr(self._batch, "max_timestamp", None) or 0), words)


class _Batches:
    """The batches of one fetch."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def has_next(self) -> bool:
        """Whether there is another."""
        return bool(self._records.has_next())

    def next_batch(self) -> _Batch:
        """The next one."""
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


def install() -> None:
    """Have every consumer of this process read so."""
    fetcher.PartitionRecords = PastTheUnreadable
