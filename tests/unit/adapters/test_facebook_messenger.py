"""What is particular to Messenger: whom it reaches, kinds of sends, errors by subcode, and odd items."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import facebook_messenger, interpret
from adapters.contract import HttpCall, Media, Message, Request, Response, Template, Unsendable
from adapters.facebook_messenger.send import build_request, read_response
from schemas.events import Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"access_token": ("t",)}
MESSAGE = Message("m-1", "chat", Handle("chat_id", "messenger:42"), text="Hello")
FILE = Media("https://example.com/a.jpg", "image/jpeg")


def call_of(message: Message, **more: str) -> HttpCall:
    return build_request(message, VALUES | {key: (value,) for key, value in more.items()}, NOW)


def body_of(message: Message, **more: str) -> Any:
    return json.loads(call_of(message, **more).body)


def test_a_message_goes_to_a_page_scoped_id_from_the_tokens_page_or_another() -> None:
    """`me` is the token's; a message's own sender is before that of the source."""
    assert body_of(MESSAGE) == {
        "recipient": {"id": "42"},
        "messaging_type": "RESPONSE",
        "message": {"text": "Hello", "metadata": "m-1"},
    }
    assert call_of(MESSAGE).url == "https://graph.facebook.com/v25.0/me/messages"
    assert call_of(MESSAGE, page_id="7").url.endswith("/7/messages")
    assert call_of(replace(MESSAGE, sender="8"), page_id="7").url.endswith("/8/messages")


def test_beyond_a_day_it_goes_with_a_tag_or_as_a_template() -> None:
    """The messaging type says which."""
    assert body_of(MESSAGE, tag="HUMAN_AGENT")["messaging_type"] == "MESSAGE_TAG"
    body = body_of(replace(MESSAGE, text=None, template=Template("shipped", "en", {"1": "17"})), tag="HUMAN_AGENT")
    assert body["messaging_type"] == "UTILITY" and "tag" not in body
    parameters = [{"type": "text", "text": "17"}]
    assert body["message"]["template"]["components"] == [{"type": "body", "parameters": parameters}]


@pytest.mark.parametrize(
    ("type_", "kind"), [("image/png", "image"), ("audio/mpeg", "audio"), ("video/mp4", "video"), (None, "file")]
)
def test_a_file_is_sent_as_what_it_is(type_: str | None, kind: str) -> None:
    """By its media type; anything else is a file."""
    output = body_of(replace(MESSAGE, text=None, media=(Media("https://example.com/a", type_),)))["message"]
    assert output["attachment"] == {"type": kind, "payload": {"url": "https://example.com/a"}}


@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, to=Handle("chat_id", "instagram:42")),
        replace(MESSAGE, to=Handle("phone", "+15551234567")),
        replace(MESSAGE, text=None),
        replace(MESSAGE, media=(FILE,)),
        replace(MESSAGE, text=None, media=(FILE, FILE)),
        replace(MESSAGE, template=Template("t")),
        replace(MESSAGE, reference="x" * 1000),
    ],
)
def test_what_messenger_has_no_place_for_is_unsendable(message: Message) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(Unsendable):
        call_of(message)


@pytest.mark.parametrize(
    ("status", "code", "subcode", "state", "reason"),
    [
        (400, 100, 2018001, "rejected", "invalid_address"),
        (400, 100, 33, "rejected", "content"),
        (400, 551, 1545041, "rejected", "unreachable"),
        (400, 10, 2018278, "rejected", "blocked"),
        (400, 613, None, "retryable", "rate"),
        (400, 1200, None, "retryable", "unknown"),
        (500, 190, None, "account", "account"),
        (500, 99999, None, "retryable", "unknown"),
    ],
)
def test_the_code_and_its_subcode_tell(status: int, code: int, subcode: int | None, state: str, reason: str) -> None:
    """The subcode if there is one; for an unknown code the status decides whether it may pass."""
    body = json.dumps({"error": {"code": code, "error_subcode": subcode, "message": "Why."}}).encode()
    outcome = read_response(Response(status, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.text) == (state, reason, "Why.")
    assert outcome.error.code == (f"{code}/{subcode}" if subcode else str(code))


def test_times_are_read_in_milliseconds_and_seconds_and_a_reaction_is_no_message_of_that_id() -> None:
    """What a reaction is about keeps its own id for itself."""
    item = {"sender": {"id": "42"}, "recipient": {"id": "7"}, "reaction": {"mid": "m_1", "action": "react"}}
    for reported, time in ((1772443770123, "09:29:30.123000"), ("1772443770", "09:29:30"), (-1, None), (10**400, None)):
        body = json.dumps({"object": "page", "entry": [{"messaging": [item | {"timestamp": reported}]}]}).encode()
        (event,) = interpret(Request("POST", "https://h/", {}, body, NOW, "facebook_messenger"), NAME).events
        assert (event.occurred_at.time().isoformat() if event.occurred_at else None) == time
        assert event.provider_message_id is None


NAME = facebook_messenger.ADAPTER.name
