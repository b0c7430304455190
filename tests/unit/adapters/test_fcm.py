"""Firebase Cloud Messaging: the purchase of a token, what a push is made of, and what its errors mean."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import fcm
from adapters.contract import HttpCall, Media, Message, Response, Template, Unsendable
from adapters.fcm import simulator as simulated
from adapters.simulating import Call
from schemas.events import Handle
from tests.fixtures import accounts

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ACCOUNT = accounts("fcm")


def push(**more: Any) -> Message:
    return Message(**{"message_id": "m-1", "channel": "push", "to": Handle("device_token", "abc:DEF"), **more})


def sent(**more: Any) -> dict[str, Any]:
    message: dict[str, Any] = orjson.loads(fcm.build_request(push(**more), ACCOUNT.values, NOW).body)["message"]
    return message


def called(call: HttpCall) -> Call:
    return Call(call.method, "/token", call.headers, call.body)


def test_a_token_is_bought_with_a_signed_assertion() -> None:
    """Google's side takes the assertion of the service account, and its answer is read; not that of another key."""
    call = fcm.token_request(ACCOUNT.values, NOW)
    assert (call.method, call.url) == ("POST", "https://oauth2.googleapis.com/token")
    reply = simulated.grant(called(call), ACCOUNT.settings)
    assert reply is not None
    assert fcm.read_token(Response(reply.status, {}, reply.body)) == (ACCOUNT.settings["access_token"], 3599.0)
    call.body = call.body[:-3] + b"AAA"
    reply = simulated.grant(called(call), ACCOUNT.settings)
    assert reply is not None and fcm.read_token(Response(reply.status, {}, reply.body)) is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"access_token":7}', b'{"access_token":""}', b"\xff"])
def test_an_answer_without_a_token_gives_none(body: bytes) -> None:
    """Of 200 with anything but a token, too; and a token of unknown life is to be had anew."""
    found = fcm.read_token(Response(200, {}, body))
    assert found is None or found == ("7", 0.0)


@pytest.mark.parametrize("key_file", ["", "{", "[]", '{"project_id":"x"}', '{"private_key":"x"}'])
def test_a_key_file_that_cannot_be_read_is_reported(key_file: str) -> None:
    """It says what to set, and never shows the key."""
    with pytest.raises(Unsendable, match="service_account"):
        fcm.token_request({"service_account": (key_file,)}, NOW)


def test_a_push_has_title_body_image_and_data_as_strings() -> None:
    """The subject is the title; what is no string in data is written as JSON; a repeat takes the place of the first."""
    output = sent(
        subject="Shipped", text="On its way", media=(Media("https://example.com/a.png"),), data={"n": 3, "s": "x"}
    )
    assert output == {
        "token": "abc:DEF",
        "notification": {"title": "Shipped", "body": "On its way", "image": "https://example.com/a.png"},
        "data": {"n": "3", "s": "x"},
        "android": {"notification": {"tag": "m-1"}},
        "apns": {"headers": {"apns-collapse-id": "m-1"}},
    }
    assert sent(to=Handle("device_token", "/topics/news"), data={"a": "b"})["topic"] == "news"


def test_it_expires_on_every_platform() -> None:
    """Seconds from now for Android and the web, the time itself for Apple; four weeks at most, nothing below 0."""
    output = sent(text="x", expires_at=NOW + timedelta(hours=1))
    assert output["android"]["ttl"] == "3600s" and output["webpush"]["headers"]["TTL"] == "3600"
    assert output["apns"]["headers"]["apns-expiration"] == str(int(NOW.timestamp()) + 3600)
    assert sent(text="x", expires_at=NOW + timedelta(days=99))["android"]["ttl"] == "2419200s"
    assert sent(text="x", expires_at=NOW - timedelta(days=1))["android"]["ttl"] == "0s"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"html": "<p>Hi</p>"},
        {"template": Template("hello")},
        {"text": "x", "media": (Media("https://example.com/1"), Media("https://example.com/2"))},
        {"text": "x", "data": {"from": "me"}},
        {"text": "x", "data": {"google.c": "1"}},
        {"text": "x" * 4097},
    ],
)
def test_what_a_push_has_no_place_for_is_reported(more: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(Unsendable):
        sent(**more)


def test_the_project_must_be_known() -> None:
    """An access token alone says no project."""
    with pytest.raises(Unsendable, match="project_id"):
        fcm.build_request(push(text="x"), {"access_token": ("t",)}, NOW)
    call = fcm.build_request(push(text="x"), {"access_token": ("t",), "project_id": ("p",)}, NOW)
    assert call.url == "https://fcm.googleapis.com/v1/projects/p/messages:send"


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        (404, "UNREGISTERED", "rejected", "invalid_address"),
        (403, "SENDER_ID_MISMATCH", "rejected", "invalid_address"),
        (400, "INVALID_ARGUMENT", "rejected", "content"),
        (429, "QUOTA_EXCEEDED", "retryable", "rate"),
        (503, "UNAVAILABLE", "retryable", "unknown"),
        (500, "INTERNAL", "retryable", "unknown"),
        (401, "THIRD_PARTY_AUTH_ERROR", "account", "account"),
    ],
)
def test_each_error_code_has_its_meaning(status: int, code: str, state: str, reason: str) -> None:
    """FCM's own detail is more precise than the status around it."""
    body = {
        "error": {
            "code": status,
            "status": "X",
            "message": "m",
            "details": [{"fieldViolations": []}, {"errorCode": code}],
        }
    }
    outcome = fcm.read_response(Response(status, {}, orjson.dumps(body)))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.code) == (state, reason, code)


def test_a_damaged_token_is_an_invalid_address() -> None:
    """The second example of the error page: INVALID_ARGUMENT that speaks of the registration token."""
    error = {
        "code": 400,
        "status": "INVALID_ARGUMENT",
        "message": "The registration token is not a valid FCM registration token",
    }
    outcome = fcm.read_response(Response(400, {}, orjson.dumps({"error": error})))
    assert outcome.state == "rejected" and outcome.error is not None and outcome.error.reason == "invalid_address"


def test_waiting_is_reported_where_the_provider_reports_it() -> None:
    """Retry-After of a 429."""
    assert fcm.read_response(Response(429, {"retry-after": "60"}, b"")).retry_after == 60.0
