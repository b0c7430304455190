"""The header of a replayed record, and the shape of a record's body: both whatever a stranger writes."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import inbound, outbound, reported
from agents.health import WorkerHealth
from agents.records.outcome import RecordOutcome
from agents.records.replays import HEADER, header_of, replay_of, replays_of
from agents.records.shape import MOST, shape_of
from webhooks.record import Webhook, encode

ID = UUID("0192f0c1-2222-7000-8000-000000000001")


def record(*headers: tuple[str, Any], value: bytes | None = b"x") -> Any:
    return SimpleNamespace(topic="t", partition=0, offset=1, headers=headers, value=value)


def test_a_replay_is_recognised_by_its_header() -> None:
    """The header that is written is read, beside others."""
    found = replay_of(record(("traceparent", b"00"), header_of(ID, 3)))
    assert found is not None
    assert (found.id, found.number, len(found.digest)) == (str(ID), 3, 32)


@pytest.mark.parametrize(
    "value", [None, "text", b"", b"/", b"mine/1", f"{ID}".encode(), f"{ID}/x".encode(), f"{ID}/-1".encode(), b"\xff" * 46,
              f"{ID}/{'9' * 30}".encode(), f"{ID.hex}/{2**31}".encode()]
)  # fmt: skip
def test_a_header_of_another_form_is_none(value: Any) -> None:
    """Whatever it holds."""
    assert replay_of(record((HEADER, value))) is None


def test_a_record_without_a_value_is_no_replay() -> None:
    """There is nothing to compare with the dead letter's record."""
    assert replay_of(record(header_of(ID, 1), value=None)) is None


def test_each_replay_has_the_places_of_its_own_rows() -> None:
    """Among outcomes with several rows, and without a replay."""
    outcomes = [RecordOutcome(record(), rows=[None] * rows) for rows in (2, 3, 1)]  # type: ignore[list-item]
    outcomes[1].replay = replay_of(record(header_of(ID, 1)))
    (found,) = replays_of(outcomes)
    assert (found.first, found.rows, found.dead) == (2, 3, None)


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b'{"b": 1, "a": {"c": 2}}', "object: a, b"),
        (b'{"+15551234567": 1, "ana@example.com": 2, "to": 3}', "object: to, …"),
        (b'[{"event": "x"}, {"other": 1}]', "list of object: event"),
        (b"[1]", "list"),
        (b"12", "JSON value"),
        (b"MessageSid=SM1&To=%2B1555", "form: MessageSid, To"),
        (b"hello there", "text"),
        (b"\xff\x00", "binary"),
        (b"", "empty"),
        (b"x" * 70_000, "large"),
    ],
)
def test_a_shape_has_names_and_no_values(body: bytes, shape: str) -> None:
    """Of a webhook's record the head is left out."""
    assert shape_of("webhooks.received", b'{"id": "1"}\n' + body) == shape
    assert shape_of("events.reported", body) == shape


def test_a_record_without_a_value_has_no_shape() -> None:
    """Nor has one whose body is kept apart a shape of its reference."""
    assert shape_of("webhooks.received", None) is None
    assert shape_of("webhooks.received", b'{"blob": {"name": "x"}}\n') == "large"


@given(st.dictionaries(st.text(), st.none(), max_size=200))
def test_a_shape_is_bounded(document: dict[str, None]) -> None:
    """However many names there are."""
    shape = shape_of("events.reported", orjson.dumps(document))
    assert shape is not None and len(shape) <= MOST


def webhook(client: str) -> bytes:
    """A record of an envelope without a source."""
    at = datetime(2026, 2, 3, tzinfo=UTC)
    return encode(Webhook(str(ID), "relay", "envelope", client, "POST", "http://x/", {}, at, True, b'{"eventType": 1}'))


@pytest.mark.parametrize(
    ("topic", "value", "client"),
    [
        ("webhooks.received", webhook("shop"), "shop"),
        ("webhooks.received", b"no head", None),
        ("webhooks.received", b'{"client": "shop"}\n{}', None),  # a head that cannot be read is nobody's
        ("events.reported", b'{"clientid": "shop"}', "shop"),
        ("events.reported", b"{}", "default"),
        ("events.reported", b'{"clientid": 7}', None),
        ("events.reported", b'{"clientid": "' + b"x" * 256 + b'"}', None),
        ("events.reported", b"[]", None),
        ("events.reported", b"\xff", None),
        ("messages.requested", b'{"clientId": "shop"}', "shop"),
        ("messages.requested", b"{}", None),
        ("messages.requested", b'{"clientId": ["shop"]}', None),
        ("messages.requested", b"\xff", None),
    ],
)
def test_a_dead_letter_belongs_to_the_client_that_its_record_names(
    topic: str, value: bytes, client: str | None
) -> None:
    """And to none where that cannot be read: then only operators see it."""
    one = SimpleNamespace(topic=topic, partition=0, offset=1, timestamp=1_795_000_000_000, headers=(), value=value)
    prepare: dict[str, Any] = {
        "webhooks.received": lambda: inbound.prepare(one, WorkerHealth(), 1 << 20),
        "events.reported": lambda: reported.prepare(one, 1 << 20),
        "messages.requested": lambda: outbound.prepare(one, 1 << 20),
    }
    letter = prepare[topic]().letter
    assert letter is not None
    assert letter.client == client
