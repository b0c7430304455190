"""Encodes and decodes cursors: opaque texts for the place where a page or a stream ended.

A page's cursor is the sort key of its last row, so that new rows cannot shift it. It has a checksum over the key and
the query it belongs to (client, customer, filters): a damaged cursor, or one used with another query, is refused. The
checksum is not a signature and need not be one: a forged cursor only skips to other interactions of the caller's own
customers, as `until` does.

A stream's cursor is the transaction and the position of an event (`xid-position`): PostgreSQL assigns positions before
the commit, so only both together say what was already read.
"""

import base64
import binascii
import re
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

_PAGE = struct.Struct(">q16s")
#: Bytes of the checksum. With the key they are 33, which base64 writes without padding or spare bits, so that each
#: cursor has one spelling.
_CHECK = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STREAM = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")

#: The transaction id and the position after which a stream goes on.
Place = tuple[int, int]


def encode_page(timestamp: datetime, id: UUID, question: str) -> str:
    """Return the cursor after the row with this key: 44 URL-safe characters."""
    key = _PAGE.pack((timestamp - _EPOCH) // timedelta(microseconds=1), id.bytes)
    return base64.urlsafe_b64encode(key + _check(key, question)).decode()


def decode_page(text: str, question: str) -> tuple[datetime, UUID]:
    """Return the key of the row after which the page starts. Raises ValueError if the cursor is not of this query."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is no cursor of ours") from error
    key, check = raw[: _PAGE.size], raw[_PAGE.size :]
    if len(key) != _PAGE.size or check != _check(key, question):
        raise ValueError("this cursor is damaged, or belongs to a question with other filters")
    micros, id = _PAGE.unpack(key)
    try:
        return _EPOCH + timedelta(microseconds=micros), UUID(bytes=id)
    except OverflowError as error:
        raise ValueError("this is no cursor of ours: its time is out of range") from error


def encode_place(place: Place) -> str:
    """Return a stream's cursor."""
    return f"{place[0]}-{place[1]}"


def decode_place(text: str) -> Place:
    """Return the place that a `Last-Event-ID` names. Raises ValueError."""
    match = _STREAM.fullmatch(text)
    if match is None or max(place := (int(match[1]), int(match[2]))) >= 1 << 63:
        raise ValueError("this is no event id of ours")
    return place


def _check(key: bytes, question: str) -> bytes:
    return sha256(key + question.encode()).digest()[:_CHECK]
