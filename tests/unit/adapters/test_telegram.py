"""What is particular to Telegram: requests by the content, ids that send and webhook share, reasons, a token never
shown."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import interpret
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from adapters.telegram.rich import words_of
from adapters.telegram.send import build_request, read_response
from schemas.events import Event, Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"bot_token": ("123456:secret",)}
ANA = Handle("chat_id", "telegram:12345678")
PHOTO, VIDEO = Media("https://example.com/a.jpg", "image/jpeg"), Media("https://example.com/a.mp4", "video/mp4")
PDF = Media("https://example.com/a.pdf", "application/pdf")


def made(**more: Any) -> tuple[str, dict[str, Any]]:
    call = build_request(Message("m-1", "chat", more.pop("to", ANA), **more), VALUES, NOW)
    return call.url.rpartition("/")[2], orjson.loads(call.body)


def test_the_method_follows_from_the_content() -> None:
    """Text, HTML, one file by its type with the text as caption, several as an album with one caption."""
    assert made(text="Hi") == ("sendMessage", {"chat_id": "12345678", "text": "Hi"})
    assert made(html="<b>Hi</b>")[1] == {"chat_id": "12345678", "text": "<b>Hi</b>", "parse_mode": "HTML"}
    photo = {"chat_id": "12345678", "photo": PHOTO.url, "caption": "Hi"}
    assert made(text="Hi", media=(PHOTO,)) == ("sendPhoto", photo)
    assert made(media=(PDF,)) == ("sendDocument", {"chat_id": "12345678", "document": PDF.url})
    assert made(media=(Media("https://example.com/a.gif", "image/gif"),))[0] == "sendAnimation"
    assert made(media=(Media("https://example.com/a.mp3", "audio/mpeg"),))[0] == "sendAudio"
    method, album = made(text="Hi", media=(PHOTO, VIDEO))
    assert method == "sendMediaGroup"
    assert album["media"] == [
        {"type": "photo", "media": PHOTO.url, "caption": "Hi"},
        {"type": "video", "media": VIDEO.url},
    ]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "x" * 4097},
        {"text": "x" * 1025, "media": (PHOTO,)},
        {"text": "Hi", "to": Handle("phone", "+15551234567")},
        {"text": "Hi", "to": Handle("chat_id", "viber:12345678")},
        {"template": Template("welcome")},
        {"media": (PHOTO, PDF)},
        {"media": (PHOTO,) * 11},
    ],
)
def test_what_telegram_has_no_place_for_is_not_sent(more: dict[str, Any]) -> None:
    """And the refusal does not contain the token, which is part of the URL."""
    with pytest.raises(Unsendable) as refused:
        made(**more)
    assert "secret" not in str(refused.value)


def test_an_album_is_its_first_message() -> None:
    """The answer lists all of them; webhooks of the first carry its id."""
    body = {"ok": True, "result": [{"message_id": 7, "chat": {"id": 1}}, {"message_id": 8, "chat": {"id": 1}}]}
    assert read_response(Response(200, {}, orjson.dumps(body))).provider_message_id == "1:7"


@pytest.mark.parametrize(
    ("status", "words", "state", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "rejected", "opted_out"),
        (403, "Forbidden: user is deactivated", "rejected", "invalid_address"),
        (403, "Forbidden: bot can't initiate conversation with a user", "rejected", "blocked"),
        (400, "Bad Request: chat not found", "rejected", "invalid_address"),
        (400, "Bad Request: message is too long", "rejected", "content"),
        (401, "Unauthorized", "account", "account"),
        (500, "Internal Server Error", "retryable", "unknown"),
    ],
)
def test_why_telegram_refuses(status: int, words: str, state: str, reason: str) -> None:
    """The description has the reason; the status decides whether it may pass later."""
    body = orjson.dumps({"ok": False, "error_code": status, "description": words})
    outcome = read_response(Response(status, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.text) == (state, reason, words)


def test_the_pause_that_telegram_asks_for_is_in_the_body() -> None:
    """`parameters.retry_after`, in seconds."""
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 14}}
    outcome = read_response(Response(429, {}, orjson.dumps(body)))
    assert (outcome.state, outcome.retry_after) == ("retryable", 14.0)


def updated(kind: str, item: dict[str, Any]) -> Event:
    body = orjson.dumps({"update_id": 1, kind: item})
    (event,) = interpret(Request("POST", "https://hooks.example.com/", {}, body, NOW, "telegram"), "telegram").events
    return event


PERSON = {"id": 12345678, "is_bot": False, "first_name": "Ana"}


def test_a_guest_message_is_a_message_of_its_writer() -> None:
    """Of a chat that the bot is no member of: Update, `guest_message`."""
    chat = {"id": -100, "type": "supergroup"}
    event = updated(
        "guest_message", {"message_id": 7, "from": PERSON, "chat": chat, "guest_query_id": "q", "text": "Hi"}
    )
    assert (event.type, event.handle, event.provider_message_id) == ("MessageReceived", ANA, "-100:7")
    assert event.payload["content"] == {"text": "Hi"} and event.payload["native"] == {"guest_query_id": "q"}


@pytest.mark.parametrize("where", ["from", "user"])
def test_an_unheard_update_names_its_person(where: str) -> None:
    """A kind of update that is newer than this adapter."""
    event = updated("newest", {where: PERSON})
    assert (event.type, event.handle, event.payload["providerStatus"]) == ("ProviderEventReceived", ANA, "newest")
    assert updated("newest", {where: PERSON | {"is_bot": True}}).handle is None


def test_who_votes_as_a_chat_is_that_chat() -> None:
    """PollAnswer: `user` is then the fixed user 136817688, whom all such voters share."""
    made_up = {"id": 136817688, "is_bot": True, "first_name": "Channel"}
    event = updated("poll_answer", {"poll_id": "p", "voter_chat": {"id": -100}, "user": made_up, "option_ids": [1]})
    assert event.handle == Handle("chat_id", "telegram:-100")


def test_the_owner_of_a_business_account_is_no_customer() -> None:
    """BusinessConnection: `user` is the account's owner."""
    assert updated("business_connection", {"id": "b", "user": PERSON, "user_chat_id": 1, "date": 1}).handle is None


def test_an_ephemeral_message_has_its_own_number() -> None:
    """Its `message_id` is 0, as that of a message that does not exist yet."""
    item = {"message_id": 0, "ephemeral_message_id": 501, "from": PERSON, "chat": {"id": -100}, "text": "/status"}
    assert updated("message", item).provider_message_id == "-100:ephemeral:501"
    assert updated("message", item | {"ephemeral_message_id": None}).provider_message_id is None


def test_a_rich_message_is_read_however_deep_it_is() -> None:
    """Each block is a line; formatting within a line is left out; hostile depth ends."""
    bold = {"type": "bold", "text": "broken"}
    assert (
        words_of([{"type": "paragraph", "text": ["It is ", bold, "."]}, {"type": "pre", "text": "x"}])
        == "It is broken.\nx"
    )
    assert words_of([{"type": "blockquote", "blocks": [{"type": "paragraph", "text": "a"}], "credit": "b"}]) == "a\nb"
    deep: Any = "x"
    for _ in range(500):
        deep = {"type": "bold", "text": [deep]}
    assert words_of([{"type": "paragraph", "text": deep}]) == ""
