"""Counts the records and headers of a batch before aiokafka parses it, and takes the headers of records that have too many.

aiokafka makes a tuple and two objects of each header, of 72 bytes and 0.3 µs, and an empty header has 2 bytes: 6 kB of zstd
can become 33 million headers. The format is https://kafka.apache.org/documentation/#recordbatch.
"""

from dataclasses import dataclass
from typing import Any

#: Records that a batch may have. Producers send fewer than 10,000 by default (`batch.num.messages` of librdkafka).
MOST_RECORDS = 100_000
#: Headers that a record may have, and that all records of a batch may have together.
MOST_HEADERS, MOST_IN_BATCH = 1_000, 1 << 19
#: A batch of fewer bytes is parsed uncounted: it can hold 32,768 empty headers, of 2 MB and 10 ms.
SMALL = 1 << 16


class TooMany(Exception):
    """A batch has more than `MOST_RECORDS` records."""

    def __init__(self, records: int) -> None:
        super().__init__(f"{records} records in a batch, which may have {MOST_RECORDS}")


class Malformed(Exception):
    """A record does not end where its length says."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """A record with too many headers: its place among the batch's records, its bytes, and those of it without headers."""

    number: int
    start: int
    end: int
    bare: bytes
    reason: str


def crowded(data: Any, at: int, records: int) -> list[Crowded]:
    """Return the records with too many headers among the batch's records, which begin at `at`. Raises TooMany, and Malformed
    and IndexError if the bytes are not that many records.

    A batch of at most SMALL bytes is not read; the headers of its records can be counted after parsing.
    """
    if records > MOST_RECORDS:
        raise TooMany(records)
    size = len(data) - at
    if size <= SMALL:
        return []
    # A header takes at least 2 bytes. In a small batch, all headers together are within the budget: only long records are read.
    least = 2 * MOST_HEADERS if size <= 2 * MOST_IN_BATCH else 0
    found: list[Crowded] = []
    total = 0
    for number in range(records):
        start = at
        # The lengths of most records have two bytes.
        if (low := data[at]) >= 0x80 and (high := data[at + 1]) < 0x80 and not low & 1:
            length, at = (low & 0x7F | high << 7) >> 1, at + 2
        else:
            length, at = _varint(data, at)
        end = at + length
        if length < 0 or end > len(data):
            raise Malformed
        if length > least:
            body = at
            _, at = _varint(data, at)  # attributes
            _, at = _varint(data, at)  # timestamp
            _, at = _varint(data, at)  # offset
            key, at = _varint(data, at)
            at += max(0, key)
            value, at = _varint(data, at)
            at += max(0, value)
            headers, after = _varint(data, at)
            if headers < 0 or after + 2 * headers > end:
                raise Malformed
            reason = ""
            if headers > MOST_HEADERS:
                reason = too_many(headers)
            elif (total := total + headers) > MOST_IN_BATCH:
                total -= headers
                reason = f"its headers are beyond the {MOST_IN_BATCH} that a batch may have"
            if reason:
                bare = bytes(data[body:at]) + b"\x00"
                found.append(Crowded(number, start, end, _written(len(bare)) + bare, reason))
        at = end
    return found


def too_many(headers: int) -> str:
    """Return the reason why a record of so many headers is not read."""
    return f"{headers} headers, where a record may have {MOST_HEADERS}"


def without(data: Any, found: list[Crowded]) -> bytearray:
    """Return the batch with the headers of these records removed."""
    out = bytearray()
    at = 0
    with memoryview(data) as view:
        for one in found:
            out += view[at : one.start]
            out += one.bare
            at = one.end
        out += view[at:]
    return out


def _varint(data: Any, at: int) -> tuple[int, int]:
    """Return the signed varint at `at`, and the place after it. Raises IndexError at the end, and Malformed after 10 bytes."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > 63:
            raise Malformed


def _written(length: int) -> bytes:
    """Return a length of 0 or more as a signed varint."""
    value, out = length << 1, bytearray()
    while value > 0x7F:
        out.append(0x80 | value & 0x7F)
        value >>= 7
    out.append(value)
    return bytes(out)
