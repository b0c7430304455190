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
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from app.kafka import codecs, counting, unpacking
from app.kafka.unpacking import PastTheUnreadable, Records, Unread

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
    records = PastTheUnreadable(TP, Records(data), [], at, None, None, True, READ_UNCOMMITTED)
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
    monkeypatch.setattr(codecs, "MOST", 4 << 20)
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
        TP, Records(packed(3, codec, pack, bytes(size))), [], 0, None, None, True, READ_UNCOMMITTED
    )
    assert [record.value == bytes(size) for record in records] == [True]


def record(number: int, value: bytes, headers: int) -> tuple[int, bytes, list[tuple[str, bytes]]]:
    """A record with so many empty headers."""
    return number, value, [("", b"")] * headers


def batch_of(*records: tuple[int, bytes, list[tuple[str, bytes]]], first: int = 0, zstd: bool = False) -> bytes:
    """A batch of these records."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 30)
    for number, value, headers in records:
        assert builder.append(number, 1_700_000_000_000, b"k", value, headers)
    made = bytearray(builder.build())
    if zstd:
        made[61:] = bytes(cramjam.zstd.compress(bytes(made[61:])))
        struct.pack_into(">i", made, 8, len(made) - 12)
        struct.pack_into(">h", made, 21, 4)
    struct.pack_into(">q", made, 0, first)
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    return bytes(made)


def said(data: bytes) -> list[tuple[int, bytes | None, int, str]]:
    """Each record's offset, value, number of headers, and why it is unread."""
    records = PastTheUnreadable(TP, Records(data), [], 0, None, None, True, READ_UNCOMMITTED)
    return [(one.offset, one.value, len(one.headers), getattr(one, "unread", "")) for one in records]


@pytest.mark.parametrize("small", [0, counting.SMALL])
@pytest.mark.parametrize("zstd", [False, True])
def test_a_record_with_too_many_headers_is_not_read_and_its_neighbours_are(
    zstd: bool, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps offset and value, so that its dead letter can be replayed; a record with as many as it may have is whole.
    Headers of a small batch are counted after parsing."""
    monkeypatch.setattr(counting, "SMALL", small)
    crowded = batch_of(record(0, b"a", 2), record(1, b"b", 1001), record(2, b"c", 1000), first=3, zstd=zstd)
    assert said(batch_of(record(0, b"z", 0)) + crowded + batch_of(record(0, b"d", 1), first=6)) == [
        (0, b"z", 0, ""),
        (3, b"a", 2, ""),
        (4, b"b", 0, "1001 headers, where a record may have 1000"),
        (5, b"c", 1000, ""),
        (6, b"d", 1, ""),
    ]


def test_millions_of_headers_cost_no_more_than_their_bytes() -> None:
    """8 million headers of 640 bytes of zstd would take aiokafka 600 MB."""
    headers = 8_000_000
    count = counting._written(headers)
    body = b"\x00\x00\x02\x02k\x02v" + count + bytes(2 * headers)
    plain = b"\x10\x00\x00\x00\x02k\x02a\x00" + counting._written(len(body)) + body
    made = bytearray(batch_of(record(0, b"a", 0), record(1, b"v", 0)))
    made[61:] = bytes(cramjam.zstd.compress(plain))
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">h", made, 21, 4)
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    assert len(made) < 1000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert said(bytes(made)) == [
        (0, b"a", 0, ""), (1, b"v", 0, "8000000 headers, where a record may have 1000"),
    ]  # fmt: skip
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < 100 << 20


def test_the_headers_of_a_batch_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of records that each have as many as they may, those beyond the batch's budget are unread; one without headers is
    read."""
    monkeypatch.setattr(counting, "SMALL", 0)
    monkeypatch.setattr(counting, "MOST_IN_BATCH", 2500)
    records = [*(record(number, b"v", 1000) for number in range(4)), record(4, b"w", 0)]
    over = "its headers are beyond the 2500 that a batch may have"
    assert said(batch_of(*records)) == [
        (0, b"v", 1000, ""), (1, b"v", 1000, ""), (2, b"v", 0, over), (3, b"v", 0, over), (4, b"w", 0, ""),
    ]  # fmt: skip


def test_a_batch_of_too_many_records_is_one_unread_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number of records is read from its head; the next batch is read."""
    monkeypatch.setattr(counting, "MOST_RECORDS", 3)
    data = batch_of(*(record(number, b"v", 0) for number in range(4))) + batch_of(record(0, b"w", 0), first=4)
    reason = "records 0 to 3 cannot be unpacked: 4 records in a batch, which may have 3"
    assert said(data) == [(3, None, 0, reason), (4, b"w", 0, "")]


@pytest.mark.parametrize("at", [0, 1, 5, 7, 9])
@pytest.mark.parametrize("byte", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_false_lengths_end_in_one_unread_record(at: int, byte: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a length or count says, each offset is read or unread, once."""
    monkeypatch.setattr(counting, "SMALL", 0)
    monkeypatch.setattr(counting, "MOST_HEADERS", 2)
    monkeypatch.setattr(counting, "MOST_IN_BATCH", 4)
    made = bytearray(batch_of(record(0, b"v", 1), record(1, b"w", 1), record(2, b"x", 1)))
    made[61 + at] = byte
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[21:])))
    found = said(bytes(made) + batch_of(record(0, b"y", 0), first=3))
    assert found[-1] == (3, b"y", 0, "")
    assert found[-2][0] == 2
