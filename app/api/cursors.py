"""Cursors: where a page ended, as text that a caller gives back unread.

A page's cursor is the sort key of its last row, so rows that arrive meanwhile cannot shift it. It carries a check over
itself and the question it belongs to (client, customer, filters): a damaged one, or one put to another question, is
refused rather than answered with the wrong page. The check is no signature, and need not be: whoever forges a cursor
sees what `until` shows him as well, his own customers' interactions.

A stream's cursor is the transaction and the position of an event (`xid-position`): PostgreSQL hands out positions
before it commits them, so only both together tell what was already read.
"""

import base64
import binascii
import re
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

_PAGE = struct.Struct(">q16s")
#: Bytes; with the key they are 33, which base64 writes without padding or spare bits, so each cursor has one spelling.
_CHECK = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STREAM = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")

#: The transaction id and the position after which a stream goes on.
Place = tuple[int, int]


def encode_page(timestamp: datetime, id: UUID, question: str) -> str:
    """The cursor after the row with this key: 44 URL-safe characters."""
    key = _PAGE.pack((timestamp - _EPOCH) // timedelta(microseconds=1), id.bytes)
    return base64.urlsafe_b64encode(key + _check(key, question)).decode()


def decode_page(text: str, question: str) -> tuple[datetime, UUID]:
    """The key of the row after which to go on. Raises ValueError where the cursor is not one of this question."""
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
    """A stream's cursor."""
    return f"{place[0]}-{place[1]}"


def decode_place(text: str) -> Place:
    """The place that a `Last-Event-ID` names. Raises ValueError."""
    match = _STREAM.fullmatch(text)
    if match is None or max(place := (int(match[1]), int(match[2]))) >= 1 << 63:
        raise ValueError("this is no event id of ours")
    return place


def _check(key: bytes, question: str) -> bytes:
    return sha256(key + question.encode()).digest()[:_CHECK]
