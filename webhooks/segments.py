"""Reads and writes the spool's segment files: framed records, appended and synced, readable after any crash.

A frame is `length (4 bytes), CRC-32 of the payload (4 bytes), payload`, big-endian; a payload is `length of traceparent
(1 byte), traceparent, value`. A segment is named `<first record's time in ms>-<number>.spool`. All functions
block, so they run in a thread.
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
    """One file: the time of its first record (Unix seconds), and its number of records and bytes."""

    path: Path
    since: float
    records: int
    bytes: int


def pack(records: Iterable[Record]) -> bytes:
    """Return the frames of these records."""
    parts: list[bytes] = []
    for value, traceparent in records:
        trace = (traceparent or "").encode()
        head = bytes((len(trace),)) + trace
        parts += (_FRAME.pack(len(head) + len(value), crc32(value, crc32(head))), head, value)
    return b"".join(parts)


def size(value: bytes, traceparent: str | None) -> int:
    """Return the bytes that a record takes when packed."""
    return _FRAME.size + 1 + len(traceparent or "") + len(value)


def unpack(data: bytes) -> tuple[list[Record], int]:
    """Return the records in these bytes, and the offset at which the last complete frame ends."""
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
    """Return whether the bytes after the last complete frame are a write that a crash cut short, so never acknowledged.

    Those are a frame longer than the bytes, or zeros (a file's size may survive a power loss that its bytes did not).
    Anything else was once complete and has changed since.
    """
    if len(rest) < _FRAME.size or not any(rest):
        return True
    length, _ = _FRAME.unpack_from(rest)
    return bool(length > len(rest) - _FRAME.size)


def found(folder: Path) -> list[Segment]:
    """Return the segments in a folder, oldest first. Reads each once to count its records."""
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
    """Appends to one segment. After an OSError the segment must not be appended to again."""

    def __init__(self, folder: Path, number: int, since: float) -> None:
        """Create the file and make its directory entry durable."""
        self.segment = Segment(folder / f"{int(since * 1000):013d}-{number:06d}{SUFFIX}", since, 0, 0)
        self._file = os.open(self.segment.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            sync(folder)
        except OSError:
            self.close()
            raise

    def append(self, data: bytes, records: int) -> None:
        """Write and sync these bytes, all or none. Raises OSError."""
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError:
            # The records will be refused, and a partial frame would hide what follows it from the reader.
            os.ftruncate(self._file, self.segment.bytes)
            raise
        self.segment.bytes += len(data)
        self.segment.records += records

    def close(self) -> None:
        """Close the file. An empty one is deleted, so that a full disk does not collect empty files."""
        os.close(self._file)
        if not self.segment.bytes:
            self.segment.path.unlink(missing_ok=True)


def sync(folder: Path) -> None:
    """Make the folder's directory entries durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
