"""What is particular to LINE: what can be sent, repeats of a send, what its answers mean."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters.contract import HttpCall, Media, Message, Response, Template, Unsendable
from adapters.line.send import build_request, read_response
from schemas.events import Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"channel_access_token": ("token",)}
ANA = Handle("chat_id", "line:U0123456789abcdef0123456789abcdef")


def made(message_id: str = "m-1", **more: Any) -> HttpCall:
    return build_request(Message(message_id, "chat", more.pop("to", ANA), **more), VALUES, NOW)


def test_text_and_images_are_parts_of_one_push() -> None:
    """In that order; an image is its own preview."""
    body = orjson.loads(made(text="Hi", media=(Media("https://example.com/a.jpg", "image/jpeg"),)).body)
    assert body["to"] == "U0123456789abcdef0123456789abcdef"
    assert body["messages"][0] == {"type": "text", "text": "Hi"}
    assert body["messages"][1]["originalContentUrl"] == body["messages"][1]["previewImageUrl"]


def test_a_repeat_has_the_same_key_and_another_message_another() -> None:
    """The retry key is a UUID that only our message's id decides."""
    first, again, other = (made(id_, text="Hi").headers["x-line-retry-key"] for id_ in ("m-1", "m-1", "m-2"))
    assert first == again != other
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", first)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "x" * 5001},
        {"text": "😀" * 2501},
        {"text": "Hi", "to": Handle("phone", "+15551234567")},
        {"template": Template("welcome")},
        {"media": (Media("https://example.com/a.mp4", "video/mp4"),)},
        {"media": (Media("https://example.com/a.jpg", "image/jpeg"),) * 6},
    ],
)
def test_what_line_has_no_place_for_is_not_sent(more: dict[str, Any]) -> None:
    """With what to change."""
    with pytest.raises(Unsendable):
        made(**more)


def test_a_message_that_was_taken_before_is_taken() -> None:
    """409 with the first request's id says so, and has the messages' ids; without it, it is a conflict of another kind."""
    body = orjson.dumps(
        {"message": "The retry key is already accepted", "sentMessages": [{"id": "461230966842064897"}]}
    )
    outcome = read_response(Response(409, {"x-line-accepted-request-id": "3a785346"}, body))
    assert (outcome.state, outcome.provider_message_id) == ("accepted", "461230966842064897")
    assert read_response(Response(409, {}, b"{}")).state == "rejected"


def test_the_months_limit_does_not_pass_by_waiting() -> None:
    """Too fast may pass later; the month's messages used up are the account's, though both are 429."""
    fast = read_response(Response(429, {}, b'{"message":"The API rate limit has been exceeded. Try again later."}'))
    used = read_response(Response(429, {}, b'{"message":"You have reached your monthly limit."}'))
    assert (fast.state, used.state) == ("retryable", "account")
    assert fast.error and fast.error.reason == "rate"


def test_what_was_wrong_is_reported() -> None:
    """The details name the part."""
    details = [{"message": "May not be empty", "property": "messages[0].text"}]
    body = {"message": "The request body has 1 error(s)", "details": details}
    error = read_response(Response(400, {}, orjson.dumps(body))).error
    assert error is not None and error.reason == "content"
    assert error.text == "The request body has 1 error(s) (messages[0].text: May not be empty)"
