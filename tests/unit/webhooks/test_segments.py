"""The spool's files: what is written is read back, whatever a crash leaves at their end."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.segments import Writer, found, pack, torn, unpack

RECORDS = st.lists(
    st.tuples(st.binary(max_size=200), st.one_of(st.none(), st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"))),
    max_size=8,
)


@given(RECORDS)
def test_round_trip(records: list[tuple[bytes, str | None]]) -> None:
    """What was packed is unpacked, values and trace contexts, in order."""
    data = pack(records)
    assert unpack(data) == (records, len(data))


@given(RECORDS, st.integers(0, 400), st.integers(0, 64))
def test_torn_tail(records: list[tuple[bytes, str | None]], cut: int, zeros: int) -> None:
    """A write that a crash cut short costs no whole record, and is seen to be such; so are zeros after the end."""
    whole = pack(records)
    last = pack([(b"never acknowledged" * 30, None)])
    for data in (whole + last[: min(cut, len(last) - 1)], whole + bytes(zeros)):
        read, end = unpack(data)
        assert read == records
        assert torn(data[end:])


@given(RECORDS.filter(bool), st.data())
def test_changed_bytes(records: list[tuple[bytes, str | None]], data: st.DataObject) -> None:
    """A changed byte is never read as a record: what comes before it is."""
    packed = bytearray(pack(records))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    read, _ = unpack(bytes(packed))
    assert len(read) < len(records)
    assert read == records[: len(read)]


def test_damage_is_no_torn_tail() -> None:
    """A frame that is all there, yet does not fit its checksum, was changed after it was written."""
    packed = bytearray(pack([(b"abc", None)]))
    packed[-1] ^= 1
    assert unpack(bytes(packed)) == ([], 0)
    assert not torn(bytes(packed))


def test_writer(tmp_path: Path) -> None:
    """What is appended is found again by the next process, oldest segment first, with its counts."""
    for number, since in ((2, 200.0), (1, 100.0)):
        writer = Writer(tmp_path, number, since)
        data = pack([(b"one", None), (b"two", None)])
        writer.append(data, 2)
        writer.append(data, 2)
        writer.close()
    segments = found(tmp_path)
    assert [(s.since, s.records, s.bytes) for s in segments] == [(100.0, 4, 2 * len(data)), (200.0, 4, 2 * len(data))]
    assert unpack(segments[0].path.read_bytes())[0] == [(b"one", None), (b"two", None)] * 2


def test_empty_segments_are_removed(tmp_path: Path) -> None:
    """A segment that a crash left without a record is no segment."""
    Writer(tmp_path, 1, 1.0).close()
    assert found(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails in the middle of a write, the segment ends where it did before."""
    writer = Writer(tmp_path, 1, 1.0)
    writer.append(pack([(b"one", None)]), 1)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("webhooks.segments.os.fdatasync", fail)
    with pytest.raises(OSError, match="No space"):
        writer.append(pack([(b"two", None)]), 1)
    writer.close()
    assert unpack(writer.segment.path.read_bytes())[0] == [(b"one", None)]
