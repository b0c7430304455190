"""What is particular to Viber: what can be sent, and refusals under HTTP 200."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters.contract import Media, Message, Response, Template, Unsendable
from adapters.viber.send import build_request, read_response
from schemas.events import Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"auth_token": ("token",), "sender": ("Shop",), "avatar": ("https://example.com/a.png",)}
ANA = Handle("chat_id", "viber:01234567890A==")
PICTURE = Media("https://example.com/a.jpg", "image/jpeg")


def made(**more: Any) -> dict[str, Any]:
    call = build_request(Message("m-1", "chat", more.pop("to", ANA), **more), VALUES, NOW)
    found: dict[str, Any] = orjson.loads(call.body)
    return found


def test_text_or_one_picture() -> None:
    """Under the source's name and picture, with our reference as tracking data."""
    body = made(text="Hi", reference="order-1")
    assert (body["type"], body["text"], body["receiver"]) == ("text", "Hi", "01234567890A==")
    assert body["tracking_data"] == "order-1"
    assert body["sender"] == {"name": "Shop", "avatar": "https://example.com/a.png"}
    picture = made(media=(PICTURE,))
    assert (picture["type"], picture["media"], picture["text"]) == ("picture", PICTURE.url, "")
    assert picture["tracking_data"] == "m-1"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "x" * 7001},
        {"text": "x" * 513, "media": (PICTURE,)},
        {"text": "Hi", "to": Handle("phone", "+15551234567")},
        {"text": "Hi", "sender": "x" * 29},
        {"template": Template("welcome")},
        {"media": (Media("https://example.com/a.mp4", "video/mp4"),)},
        {"media": (PICTURE, PICTURE)},
    ],
)
def test_what_viber_has_no_place_for_is_not_sent(more: dict[str, Any]) -> None:
    """With what to change."""
    with pytest.raises(Unsendable):
        made(**more)


@pytest.mark.parametrize(
    ("status", "words", "state", "reason"),
    [
        (0, "ok", "accepted", None),
        (2, "invalidAuthToken", "account", "account"),
        (5, "receiverNotRegistered", "rejected", "invalid_address"),
        (6, "receiverNotSubscribed", "rejected", "opted_out"),
        (11, "receiverNoSuitableDevice", "rejected", "unreachable"),
        (12, "tooManyRequests", "retryable", "rate"),
        (99, "generalError", "rejected", "unknown"),
    ],
)
def test_the_status_is_in_the_body(status: int, words: str, state: str, reason: str | None) -> None:
    """HTTP says 200 to all of them; only 12 may pass later."""
    body = {"status": status, "status_message": words, "message_token": 5741311803571721087}
    outcome = read_response(Response(200, {}, orjson.dumps(body)))
    assert outcome.state == state
    assert (outcome.error.reason if outcome.error else None) == reason
    assert outcome.provider_message_id == ("5741311803571721087" if state == "accepted" else None)
