"""The spool's files: records in frames, appended and synced, read back whole, and safe to read after any crash.

A frame is `length (4 bytes), CRC-32 of the payload (4 bytes), payload`, big-endian; a payload is `length of traceparent
(1 byte), traceparent, value`. A segment is named `<first record's time in ms>-<number>.spool`. All of it blocks: it is
run in a thread.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from zlib import crc32

from webhooks.producer import Record

SUFFIX = ".spool"
_FRAME = Struct(">II")


@dataclass(slots=True)
class Segment:
    """One file: when its first record came (seconds since 1970), and how many records and bytes it holds."""

    path: Path
    since: float
    records: int
    bytes: int


def pack(records: Iterable[Record]) -> bytes:
    """The frames of these records."""
    parts: list[bytes] = []
    for value, traceparent in records:
        trace = (traceparent or "").encode()
        head = bytes((len(trace),)) + trace
        parts += (_FRAME.pack(len(head) + len(value), crc32(value, crc32(head))), head, value)
    return b"".join(parts)


def size(value: bytes, traceparent: str | None) -> int:
    """Bytes that a record takes when packed."""
    return _FRAME.size + 1 + len(traceparent or "") + len(value)


def unpack(data: bytes) -> tuple[list[Record], int]:
    """The records of these bytes, and where the last whole frame ends."""
    records: list[Record] = []
    at = 0
    for start, end in _frames(data):
        payload = data[start:end]
        cut = 1 + payload[0]
        records.append((payload[cut:], payload[1:cut].decode("ascii", "replace") or None))
        at = end
    return records, at


def _frames(data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + _FRAME.size <= len(data):
        length, crc = _FRAME.unpack_from(data, at)
        start = at + _FRAME.size
        at = start + length
        if length == 0 or at > len(data) or crc32(memoryview(data)[start:at]) != crc:
            return
        yield start, at


def torn(rest: bytes) -> bool:
    """Whether what follows the last whole frame is a write that a crash cut short, and so was never acknowledged.

    That is a frame longer than what is there, or zeros (a file's size may survive a power loss that its bytes did not).
    Anything else was written whole once and has changed since.
    """
    if len(rest) < _FRAME.size or not any(rest):
        return True
    length, _ = _FRAME.unpack_from(rest)
    return bool(length > len(rest) - _FRAME.size)


def found(folder: Path) -> list[Segment]:
    """The segments that are there, oldest first, each read once to count its records."""
    segments = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        data = path.read_bytes()
        if data:
            records = sum(1 for _ in _frames(data))
            segments.append(Segment(path, int(path.name.partition("-")[0]) / 1000, records, len(data)))
        else:
            path.unlink()
    return segments


class Writer:
    """Appends to one segment. Raises OSError; after that the segment takes no more."""

    def __init__(self, folder: Path, number: int, since: float) -> None:
        """Make the file, and make sure that its name outlives a power loss too."""
        self.segment = Segment(folder / f"{int(since * 1000):013d}-{number:06d}{SUFFIX}", since, 0, 0)
        self._file = os.open(self.segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            sync(folder)
        except OSError:
            self.close()
            raise

    def append(self, data: bytes, records: int) -> None:
        """Write and sync, all or nothing."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError:
            # These are going to be refused, and a part of a frame would end the segment for its reader.
            os.ftruncate(self._file, self.segment.bytes)
            raise
        self.segment.bytes += len(data)
        self.segment.records += records

    def close(self) -> None:
        """Close the file; without a record in it, it goes: a full disk must not be filled with empty ones besides."""
        os.close(self._file)
        if not self.segment.bytes:
            self.segment.path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Make the folder's entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
