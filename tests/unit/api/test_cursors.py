"""Cursors come back as they went out, and damaged ones are refused."""

import base64
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.cursors import decode_page, decode_place, encode_page, encode_place

TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(TIMES, st.uuids(), st.text())
def test_page_cursor_comes_back_as_the_key_it_was_made_of(time: datetime, id: UUID, question: str) -> None:
    """Any time of any interaction survives, to the microsecond, in URL-safe characters."""
    cursor = encode_page(time, id, question)
    assert set(cursor) <= set(ALPHABET)
    assert decode_page(cursor, question) == (time, id)


@given(TIMES, st.uuids(), st.integers(0, 43), st.sampled_from(ALPHABET))
def test_page_cursor_with_one_other_character_is_refused(time: datetime, id: UUID, place: int, other: str) -> None:
    """No single changed character goes unnoticed, the last one included."""
    cursor = encode_page(time, id, "question")
    changed = cursor[:place] + other + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(ValueError, match="damaged"):
            decode_page(changed, "question")


def test_page_cursor_belongs_to_its_question() -> None:
    """Put to another client, customer or filter, a cursor is refused rather than answered with the wrong page."""
    cursor = encode_page(datetime.now(UTC), uuid4(), "one client, one customer")
    with pytest.raises(ValueError, match="other filters"):
        decode_page(cursor, "another")


@pytest.mark.parametrize("text", ["", "x", "null", "A" * 43, "A" * 44, "A" * 48, "=" * 44, "ä" * 44, "A" * 100_000])
def test_text_that_was_never_a_page_cursor_is_refused(text: str) -> None:
    """Garbage of any length is a ValueError, never another exception."""
    with pytest.raises(ValueError, match="cursor"):
        decode_page(text, "question")


@given(st.integers(-(2**63), 2**63 - 1), st.uuids(), st.text())
def test_a_forged_page_cursor_is_a_cursor_or_refused(micros: int, id: UUID, question: str) -> None:
    """The check is no signature: whoever knows how cursors are made can put any number into one."""
    key = struct.pack(">q16s", micros, id.bytes)
    forged = base64.urlsafe_b64encode(key + sha256(key + question.encode()).digest()[:9]).decode()
    try:
        time, named = decode_page(forged, question)
    except ValueError as error:
        assert "cursor" in str(error)
    else:
        assert named == id and (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == micros


@given(st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)))
def test_stream_cursor_comes_back(place: tuple[int, int]) -> None:
    """A place in the log survives."""
    assert decode_place(encode_place(place)) == place


@pytest.mark.parametrize("text", ["", "1", "1-", "-1-1", "1-1 ", "1-1\n", "٣-٣", f"{2**63}-0", "1" * 20 + "-1", "a-b"])
def test_text_that_was_never_a_stream_cursor_is_refused(text: str) -> None:
    """Garbage is a ValueError."""
    with pytest.raises(ValueError, match="no event id"):
        decode_place(text)


def test_page_cursor_keeps_microseconds() -> None:
    """Two times a microsecond apart make two cursors."""
    now, id = datetime(2026, 2, 3, 4, 5, 6, 999999, UTC), uuid4()
    assert encode_page(now, id, "") != encode_page(now + timedelta(microseconds=1), id, "")
