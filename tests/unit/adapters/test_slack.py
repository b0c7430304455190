"""Slack: the documentation's own signature, the handshake, the signature's age, and what chat.postMessage takes and answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import interpret, slack
from adapters.contract import (
    HttpCall,
    InvalidSignature,
    Media,
    Message,
    Request,
    Response,
    Template,
    Unconfigured,
    Unprocessable,
    Unsendable,
)
from adapters.simulating import Post
from adapters.slack import simulator as simulated
from adapters.slack.send import build_request, read_response
from schemas.events import Handle
from tests.fixtures import accounts

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = accounts("slack").values
MESSAGE: dict[str, Any] = {
    "message_id": "m-1",
    "channel": "chat",
    "to": Handle("chat_id", "slack:T0123ABCD/U0456EFGH"),
    "text": "a <b> & *c*",
}


def signed(body: bytes, at: datetime = AT, kind: str = "application/json") -> Request:
    post = simulated.sign(
        Post("https://hooks.example.com/", body, {"content-type": kind}), accounts("slack").settings, at
    )
    return Request("POST", post.url, {name.lower(): value for name, value in post.headers.items()}, body, AT, "slack")


def test_the_signature_is_that_of_the_documentation() -> None:
    """The worked example of docs.slack.dev/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    request = Request(
        "POST", "https://hooks.example.com/", headers, body, datetime.fromtimestamp(1531420620, UTC), "slack"
    )
    assert slack.verify(request, {"signing_secret": ("8f742231b10e8888abcd99yyyzzz85a5",)}) is True


@pytest.mark.parametrize("seconds", (-301, 301))
def test_an_old_signature_is_refused_unless_age_has_no_say(seconds: int) -> None:
    """Five minutes to either side; a stored webhook that is read again has no age."""
    request = signed(b"{}", AT + timedelta(seconds=seconds))
    with pytest.raises(InvalidSignature, match="seconds old"):
        slack.verify(request, VALUES)
    assert slack.verify(request, VALUES, fresh=False) is True


def test_the_handshake_is_answered_to_slack_alone() -> None:
    """The challenge is returned if the signature holds; else it is refused, also where nothing is configured."""
    body = b'{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}'
    answer = slack.handshake(signed(body), VALUES)
    assert answer is not None and answer.status == 200
    assert answer.body == b"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    forged = signed(body)
    forged.body = body.replace(b"3eZ", b"4eZ")
    with pytest.raises(InvalidSignature):
        slack.handshake(forged, VALUES)
    with pytest.raises(Unconfigured):
        slack.handshake(signed(body), {})
    assert slack.handshake(signed(b'{"text":"url_verification"}'), VALUES) is None


@pytest.mark.parametrize("body", (b"payload=[]", b"payload={", b"", b"payload=%ff"))
def test_a_form_of_nothing_known_is_refused(body: bytes) -> None:
    """It is set apart, with its reason."""
    with pytest.raises(Unprocessable):
        interpret(signed(body, kind="application/x-www-form-urlencoded"), "slack")


def test_a_message_is_sent_as_text() -> None:
    """Control characters are escaped, the workspace is left out, and our id goes along to be echoed."""
    call = build_request(Message(**MESSAGE, reference="order-1"), VALUES, AT)
    assert isinstance(call, HttpCall) and call.url == "https://slack.com/api/chat.postMessage"
    document = orjson.loads(call.body)
    assert (document["channel"], document["text"]) == ("U0456EFGH", "a &lt;b&gt; &amp; *c*")
    assert document["metadata"]["event_payload"] == {
        "threadline_message_id": "tl_cebadbb4_m-1",
        "to": "slack:T0123ABCD/U0456EFGH",
        "reference": "order-1",
    }


def test_pictures_stand_below_the_text() -> None:
    """As blocks, by URL."""
    picture = Media("https://example.com/a.png", "image/png", "A plan")
    call = build_request(Message(**MESSAGE, media=(picture,)), VALUES, AT)
    assert [block["type"] for block in orjson.loads(call.body)["blocks"]] == ["section", "image"]


@pytest.mark.parametrize(
    "changes",
    [
        {"text": None},
        {"text": "x" * 40_001},
        {"text": "x" * 3_001, "media": (Media("https://example.com/a.png", "image/png"),)},
        {"media": (Media("https://example.com/a.pdf", "application/pdf"),)},
        {"template": Template("welcome")},
        {"subject": "Hello"},
        {"to": Handle("phone", "+15551234567")},
    ],
)
def test_what_slack_has_no_place_for_is_unsendable(changes: dict[str, Any]) -> None:
    """It says what to change."""
    with pytest.raises(Unsendable):
        build_request(Message(**MESSAGE | changes), VALUES, AT)


def test_an_error_with_status_200_is_an_error() -> None:
    """Its word decides whether it may pass later; a missing scope is named."""
    outcome = read_response(Response(200, {}, b'{"ok":false,"error":"missing_scope","needed":"chat:write"}'))
    assert outcome.state == "account" and outcome.error is not None and outcome.error.text == "needed: chat:write"
    later = read_response(Response(429, {"retry-after": "30"}, b'{"ok":false,"error":"ratelimited"}'))
    assert (later.state, later.retry_after) == ("retryable", 30.0)
    assert read_response(Response(200, {}, b'{"ok":false,"error":"internal_error"}')).state == "retryable"
    sent = read_response(Response(200, {}, b'{"ok":true,"channel":"D1","ts":"1772443776.000700"}'))
    assert sent.provider_message_id == "D1:1772443776.000700"


@pytest.mark.parametrize(
    ("authorizations", "linked"),
    [
        ([{"team_id": "T1", "user_id": "UBOT", "is_bot": True}], True),
        (
            [{"team_id": "T1", "user_id": "U1", "is_bot": False}],
            False,
        ),  # a user's installation sees talks of two people
        ([], False),
        (None, False),
    ],
)
def test_only_a_direct_conversation_with_the_app_is_its_users(authorizations: Any, linked: bool) -> None:
    """The conversation is one of the person's handles if the event came by the bot's installation."""
    event = {
        "type": "message",
        "channel": "D1",
        "channel_type": "im",
        "user": "U1",
        "text": "hi",
        "ts": "1796000000.000100",
    }
    body = {
        "type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "Ev1", "event": event,
        "authorizations": authorizations,
    }  # fmt: skip
    request = signed(orjson.dumps(body), kind="application/json")
    (found,) = interpret(request, "slack").events
    assert found.handle == Handle("chat_id", "slack:T1/U1")
    assert found.payload.get("handles") == ([{"kind": "chat_id", "value": "slack:T1/D1"}] if linked else None)


def told(**event: Any) -> Any:
    frame = {"type": "message", "channel": "D1", "channel_type": "im", "ts": "1772443770.000100"}
    authorizations = [{"team_id": "T1", "user_id": "UBOT", "is_bot": True}]
    body = {"type": "event_callback", "team_id": "T1", "event_id": "Ev1", "authorizations": authorizations}
    raw = orjson.dumps(body | {"event": frame | event})
    (found,) = interpret(Request("POST", "https://hooks.example.com/", {}, raw, AT, "slack"), "slack").events
    return found


@pytest.mark.parametrize("kind", ["message", "app_mention"])
def test_slackbot_is_no_customer(kind: str) -> None:
    """Slack's own notices come from USLACKBOT, without a bot_id: one handle for all of them would be a customer."""
    found = told(type=kind, user="USLACKBOT", text="You have been removed")
    assert (found.type, found.handle, "handles" in found.payload) == ("ProviderEventReceived", None, False)
    assert told(type=kind, user="U1", text="Hi").type == "MessageReceived"


def test_a_tombstone_is_a_deletion_by_the_writer() -> None:
    """A deleted message that has replies stays as a tombstone of USLACKBOT; `previous_message` says whose it was."""
    grave = {"subtype": "tombstone", "user": "USLACKBOT", "ts": "1.000200", "text": "This message was deleted."}
    edited = {"user": "U1", "ts": "1.000300"}
    before = {"user": "U1", "ts": "1.000200", "text": "first", "edited": edited}
    found = told(subtype="message_changed", message=grave, previous_message=before)
    assert (found.type, found.provider_message_id) == ("MessageDeleted", "D1:1.000200")
    assert found.handle == Handle("chat_id", "slack:T1/U1") and "content" not in found.payload
    bots = told(subtype="message_changed", message=grave, previous_message=before | {"bot_id": "B1"})
    assert (bots.type, bots.handle) == ("ProviderEventReceived", None)


@pytest.mark.parametrize(
    ("event", "person"),
    [
        ({"type": "team_join", "user": {"id": "U1"}}, "slack:T1/U1"),
        ({"type": "team_join", "user": {"id": "U1", "is_bot": True}}, None),
        ({"type": "file_shared", "user_id": "U1"}, "slack:T1/U1"),
        ({"type": "assistant_thread_started", "assistant_thread": {"user_id": "U1"}}, "slack:T1/U1"),
        ({"type": "team_join", "user": "USLACKBOT"}, None),
    ],
)
def test_a_notice_names_its_person(event: dict[str, Any], person: str | None) -> None:
    """Wherever the event has the user; a bot and Slackbot are none."""
    found = told(**event)
    assert found.type == "ProviderEventReceived" and (found.handle and found.handle.value) == person
