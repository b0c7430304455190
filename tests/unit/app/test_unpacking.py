"""Batches that cannot be unpacked, between batches that can."""

import gzip
import resource
import struct
from collections.abc import Callable

import cramjam
import pytest
from aiokafka.codec import snappy_encode
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from app.kafka import unpacking
from app.kafka.unpacking import PastTheUnreadable, Unread

TP = TopicPartition("events.reported", 0)


def batch(first: int, *, header: bytes = b"name", codec: int = 0, cut: int = 0) -> bytes:
    """Three records from offset `first` (https://kafka.apache.org/documentation/#recordbatch), the first one's header
    of this name; marked as compressed by `codec`; with so many bytes of its records made 0xff."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 16)
    for number in range(3):
        assert builder.append(number, 1_700_000_000_000 + number, b"k", b"v%d" % number, [("name", b"x")])
    made = bytearray(builder.build()).replace(b"name", header, 1)
    struct.pack_into(">q", made, 0, first)
    struct.pack_into(">h", made, 21, codec)
    made[61 : 61 + cut] = b"\xff" * cut
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    return bytes(made)


def packed(first: int, codec: int, pack: Callable[[bytes], bytes], value: bytes) -> bytes:
    """One record from offset `first` with this value, its batch packed."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
    assert builder.append(0, 1_700_000_000_000, b"k", value, [])
    plain = bytes(builder.build())
    made = bytearray(plain[:61] + pack(plain[61:]))
    struct.pack_into(">q", made, 0, first)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">h", made, 21, codec)
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    return bytes(made)


#: Each codec of https://kafka.apache.org/documentation/#recordbatch, by its number.
CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (1, gzip.compress),
    "gzip, two members": (1, lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
    "snappy": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy, in blocks": (2, snappy_encode),
    "lz4": (3, lambda data: bytes(cramjam.lz4.compress(data))),
    "zstd": (4, lambda data: bytes(cramjam.zstd.compress(data))),
}


def read(data: bytes, at: int = 0) -> list[object]:
    """What comes of these batches, as the consumer reads them from an offset."""
    records = PastTheUnreadable(TP, MemoryRecords(data), [], at, None, None, True, READ_UNCOMMITTED)
    return [record.unread if isinstance(record, Unread) else record.offset for record in records]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (batch(3, codec=1), "records 3 to 5 cannot be unpacked: BadGzipFile"),
        (batch(3, codec=2), "records 3 to 5 cannot be unpacked"),
        (batch(3, codec=3), "records 3 to 5 cannot be unpacked"),
        (batch(3, codec=4), "records 3 to 5 cannot be unpacked"),
        (batch(3, header=b"\xff\xfe\xfd\xfc"), "records 3 to 5 cannot be unpacked: UnicodeDecodeError"),
        (batch(3, cut=9), "records 3 to 5 cannot be unpacked"),
    ],
)
def test_the_rest_of_a_bad_batch_is_one_record_and_the_next_batch_follows(bad: bytes, words: str) -> None:
    """Its offset is the last one's, so that what is committed goes past all of it."""
    found = read(batch(0) + bad + batch(6))
    assert found[:3] == [0, 1, 2] and found[-3:] == [6, 7, 8]
    (unread,) = found[3:-3]
    assert str(unread).startswith(words)


def test_good_batches_are_read_as_ever() -> None:
    """From any offset within them."""
    assert read(batch(3) + batch(6), 4) == [4, 5, 6, 7, 8]


@pytest.fixture(autouse=True)
def installed() -> None:
    """As in every process that reads."""
    unpacking.install()


@pytest.mark.parametrize("name", CODECS)
def test_a_bomb_is_not_unpacked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes twenty times what a batch may; its neighbours are read, and the memory does not grow by what it would make."""
    monkeypatch.setattr(unpacking, "MOST", 4 << 20)
    codec, pack = CODECS[name]
    bomb = packed(3, codec, pack, bytes(80 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read(batch(0) + bomb + batch(4))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert found[:3] == [0, 1, 2] and found[-3:] == [4, 5, 6]
    assert found[3:-3] == ["records 3 to 3 cannot be unpacked: makes more than 4 MiB"]
    assert grown < 40 << 20


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [0, 5000, 15_000_000])
def test_what_a_batch_may_make_is_unpacked(name: str, size: int) -> None:
    """However small it was packed."""
    codec, pack = CODECS[name]
    records = PastTheUnreadable(
        TP, MemoryRecords(packed(3, codec, pack, bytes(size))), [], 0, None, None, True, READ_UNCOMMITTED
    )
    assert [record.value == bytes(size) for record in records] == [True]
