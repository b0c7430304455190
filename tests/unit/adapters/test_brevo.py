"""Brevo: times in seconds and milliseconds, one first open reported twice, sends and refusals."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import brevo
from adapters.brevo.send import build_request, read_response
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDING = {"api_key": ("key",), "sender": ("Shop <shop@example.com>",)}
ANA = Handle("email", "ana@example.com")


def event(**fields: Any) -> Event:
    item = {"event": "opened", "message-id": "<1@x>", "email": "ana@example.com", "ts_event": 1772443770} | fields
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(item), AT, "brevo")
    return brevo.normalize(request).events[0]


@pytest.mark.parametrize("epoch", [1772443770, 1772443770000])
def test_an_epoch_is_in_seconds_or_milliseconds(epoch: int) -> None:
    """The documentation says the one and shows the other."""
    assert event(ts_event=None, ts_epoch=epoch).occurred_at == datetime(2026, 3, 2, 9, 29, 30, tzinfo=UTC)
    assert event(ts_event=None, ts_epoch=True).occurred_at is None


def test_a_first_open_reported_in_two_words_is_one() -> None:
    """`unique_opened` beside `opened`, of the same second; the next open is another."""
    first = event().source_event_id
    assert first == event(event="unique_opened").source_event_id != event(ts_event=1772443771).source_event_id


@pytest.mark.parametrize(
    ("custom", "reference", "message_id"),
    [
        ('{"threadline_message_id":"tl_cebadbb4_m-1","reference":"r"}', "r", "m-1"),
        ('{"messageId":"m-1","reference":"r"}', "r", None),
        ("my:own|header:too", "my:own|header:too", None),
        ("{half", "{half", None),
        ("x" * 5000, "x" * 1024, None),
        (7, None, None),
    ],
)
def test_a_senders_own_header_is_the_reference(custom: Any, reference: str | None, message_id: str | None) -> None:
    """Ours has both ids."""
    made = event(**{"X-Mailin-custom": custom})
    assert (made.payload.get("reference"), made.echoed_message_id) == (reference, message_id)


def test_a_message_has_a_key_by_which_a_quick_repeat_is_known() -> None:
    """A UUID of version 4, as Brevo asks, the same for the same message, and both ids in the header that comes back."""
    message = Message("m-1", "email", ANA, template=Template("22", None, {"n": "1"}), reference="r")
    calls = [build_request(message, SENDING | {"reply_to": ("help@example.com",)}, AT) for _ in range(2)]
    body = orjson.loads(calls[0].body)
    assert calls[0].body == calls[1].body
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", body["headers"]["idempotencyKey"]
    )
    assert orjson.loads(body["headers"]["X-Mailin-custom"]) == {
        "threadline_message_id": "tl_cebadbb4_m-1",
        "reference": "r",
    }
    assert (body["templateId"], body["params"], body["replyTo"]) == (22, {"n": "1"}, {"email": "help@example.com"})
    assert body["sender"] == {"name": "Shop", "email": "shop@example.com"}


def test_a_repeat_that_is_refused_was_taken_before() -> None:
    """Its id is not given again, and it must not be sent by another way."""
    output = orjson.dumps({"code": "duplicate_parameter", "message": "duplicate idempotencyKey"})
    outcome = read_response(Response(400, {}, output))
    assert (outcome.state, outcome.provider_message_id) == ("accepted", None)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "x"},
        {"subject": "x", "text": "x", "media": (Media("https://example.com/a.png"),)},
        {"template": Template("order")},
    ],
)
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, no subject, a file, a template by name."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", ANA, **more), SENDING, AT)


@pytest.mark.parametrize(
    ("status", "code", "words", "reason"),
    [
        (400, "invalid_parameter", "email is not valid in to", "invalid_address"),
        (400, "invalid_parameter", "sender email is invalid", "unknown"),
        (402, "not_enough_credits", "no credits", "account"),
    ],
)
def test_its_errors_are_read(status: int, code: str, words: str, reason: str) -> None:
    """A code and a sentence."""
    outcome = read_response(Response(status, {}, orjson.dumps({"code": code, "message": words})))
    assert outcome.error is not None
    state = "account" if reason == "account" else "rejected"
    assert (outcome.state, outcome.error.code, outcome.error.reason) == (state, code, reason)
