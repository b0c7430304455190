"""Events as JSON parameters: what JSON and PostgreSQL lack is mended, what cannot be written is named."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Error, Event, Handle
from sql import Row, Unstorable
from sql.parameters import always_written, clean, events_of, plain

AT = datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC)
EVENT = Event("MessageReceived", "twilio", "1")


def row(**fields: Any) -> Row:
    return (replace(EVENT, **fields), "default", AT, None)


def payload_of(data: bytes, place: int = 0) -> Any:
    return orjson.loads(data)[place][12]


def test_an_event_is_an_array_in_a_fixed_order() -> None:
    """Its places are those that the query reads; times have microseconds, the error its three fields."""
    given_row = row(
        channel="sms", direction="inbound", provider_message_id="p", message_id="m", handle=Handle("phone", "+1"),
        occurred_at=AT, error=Error("1", None, "unknown"), payload={"a": 1}, provider="t",
    )  # fmt: skip
    assert orjson.loads(events_of([plain(given_row)])) == [
        [
            "MessageReceived", "sms", "inbound", "twilio", "1", "t", "p", "m", "phone", "+1",
            {"code": "1", "text": None, "reason": "unknown"}, "2026-11-21T01:02:03.456789+00:00", {"a": 1}, "default",
            "2026-11-21T01:02:03.456789+00:00", None, None, False, None,
        ]
    ]  # fmt: skip


def test_a_trace_stands_behind_the_variant() -> None:
    """An event that is not traced has no member for it; a traced one has the same place with a variant and without."""
    untraced, traced = plain(row()), plain(row(trace="00-1-2-01"))
    assert [len(each) for each in orjson.loads(events_of([untraced, traced]))] == [19, 22]
    assert orjson.loads(events_of([traced]))[0][19:] == [None, None, "00-1-2-01"]
    of_untraced, of_traced = orjson.loads(events_of([untraced, traced], [("v", True), ("w", False)]))
    assert (of_untraced[19:], of_traced[19:]) == (["v", True], ["w", False, "00-1-2-01"])


@pytest.mark.parametrize(
    ("given_text", "kept"), [("a\x00b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\\u0000", "\\u0000"), ("😀", "😀")]
)
def test_what_postgresql_text_cannot_hold_is_replaced(given_text: str, kept: str) -> None:
    """NUL and lone surrogates become U+FFFD, in keys, values, and every field; what only looks so stays."""
    data = events_of([plain(row(source_event_id=given_text, payload={given_text: [given_text, {"x": given_text}]}))])

    assert payload_of(data) == {kept: [kept, {"x": kept}]}
    assert orjson.loads(data)[0][4] == kept


def test_no_number_that_json_lacks_is_written() -> None:
    """NaN and the infinities become null."""
    assert payload_of(events_of([plain(row(payload={"a": [float("nan"), float("inf")]}))])) == {"a": [None, None]}


def test_the_one_that_cannot_be_written_is_named() -> None:
    """By its place among the rows."""
    with pytest.raises(Unstorable, match="JSON") as reported:
        events_of([plain(row(**fields)) for fields in ({}, {}, {"payload": {"a": 2**64}}, {"payload": {"a": 2**64}})])

    assert reported.value.index == 2


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(-(2**63), 2**63 - 1), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_clean_values_stay_as_they_are(value: Any) -> None:
    """What PostgreSQL can hold is written as it was; what is cleaned is clean."""
    data = payload_of(events_of([plain(row(payload={"a": value}))]))["a"]

    assert data == clean(value)
    assert b"\\u0000" not in orjson.dumps(data).replace(b"\\\\", b"")
    assert clean(data) == data


@pytest.mark.parametrize("detail", [{"a": object()}, {"a": 2**80}, [{1, 2}], "\ud800"])
def test_a_dead_letters_detail_is_always_written(detail: Any) -> None:
    """If need be as its repr: a letter must not fail because of its subject."""
    written = always_written(detail)
    orjson.loads(written)
    assert orjson.loads(always_written([1, detail]))[0] == 1
