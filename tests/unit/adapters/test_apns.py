"""Apple Push Notification service: the provider's token, what a notification is made of, and what its errors mean."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters import apns
from adapters.contract import HttpCall, Media, Message, Response, Template, Unsendable
from adapters.signing import jwt_es256
from schemas.events import Handle
from tests.fixtures import accounts

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = accounts("apns").values


def built(now: datetime = NOW, **more: Any) -> HttpCall:
    message = Message(**{"message_id": "m-1", "channel": "push", "to": Handle("device_token", "ab" * 32), **more})
    return apns.build_request(message, VALUES, now)


def test_the_same_claims_make_the_same_token() -> None:
    """Of a key in PEM and of its number alone; the signature is R and S, 32 bytes each (RFC 7518 section 3.4)."""
    number = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    pem = derive_private_key(number, SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    raw = jwt_es256.to_base64url(number.to_bytes(32, "big"))
    tokens = {jwt_es256.token(key, (("kid", "1"),), (("iss", "2"), ("iat", 3))) for key in (pem.decode(), raw)}
    (first,) = tokens
    header, claims, signature = (urlsafe_b64decode(part + "==") for part in first.split("."))
    assert (header, claims) == (b'{"alg":"ES256","kid":"1"}', b'{"iss":"2","iat":3}')
    assert len(signature) == 64
    jwt_es256.token.cache_clear()
    assert jwt_es256.token(raw, (("kid", "1"),), (("iss", "2"), ("iat", 3))) == first


def test_the_token_is_the_same_for_forty_minutes() -> None:
    """Apple takes one for an hour, and refuses who changes it more than once in 20 minutes."""
    start = datetime.fromtimestamp(int(NOW.timestamp()) // 2400 * 2400, UTC)
    tokens = [built(start + timedelta(minutes=at), text="x").headers["authorization"] for at in (0, 20, 39, 40)]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


def test_an_alert_has_title_body_sound_and_data() -> None:
    """The subject is the title; `aps` in data beats what is made; the id and the collapse id are made of the message's."""
    call = built(sender="com.example.shop", subject="Shipped", text="On its way", data={"n": 3, "aps": {"badge": 2}})
    assert call.url == "https://api.push.apple.com/3/device/" + "ab" * 32
    alert = {"title": "Shipped", "body": "On its way"}
    assert orjson.loads(call.body) == {"aps": {"alert": alert, "sound": "default", "badge": 2}, "n": 3}
    assert (call.headers["apns-push-type"], call.headers["apns-priority"]) == ("alert", "10")
    assert call.headers["apns-topic"] == "com.example.shop" and "apns-expiration" not in call.headers
    assert str(UUID(call.headers["apns-id"])) == call.headers["apns-id"] == call.headers["apns-collapse-id"]
    assert built(text="again").headers["apns-id"] == call.headers["apns-id"]
    assert built(text="x", message_id="m-2").headers["apns-id"] != call.headers["apns-id"]


def test_what_nobody_sees_goes_in_the_background() -> None:
    """Data alone wakes the app, with the only priority that Apple takes for it."""
    call = built(data={"n": 3})
    assert orjson.loads(call.body) == {"aps": {"content-available": 1}, "n": 3}
    assert (call.headers["apns-push-type"], call.headers["apns-priority"]) == ("background", "5")
    silent = orjson.loads(built(text="x", data={"aps": {"sound": None}}).body)
    assert silent == {"aps": {"alert": {"body": "x"}}}


def test_it_expires() -> None:
    """In Unix seconds."""
    assert built(text="x", expires_at=NOW).headers["apns-expiration"] == str(int(NOW.timestamp()))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"html": "<p>Hi</p>"},
        {"text": "x", "template": Template("hello")},
        {"text": "x", "media": (Media("https://example.com/1"),)},
        {"text": "x" * 4096},
    ],
)
def test_what_a_push_has_no_place_for_is_reported(more: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(Unsendable):
        built(**more)


@pytest.mark.parametrize("key", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_key_that_cannot_be_read_is_reported(key: str) -> None:
    """It says what to set, and never shows the key."""
    message = Message("m", "push", Handle("device_token", "ab"), text="x")
    with pytest.raises(Unsendable, match="auth_key"):
        apns.build_request(message, {**VALUES, "auth_key": (key,)}, NOW)


@pytest.mark.parametrize(
    ("status", "word", "state", "reason"),
    [
        (410, "Unregistered", "rejected", "invalid_address"),
        (410, "ExpiredToken", "rejected", "invalid_address"),
        (400, "BadDeviceToken", "rejected", "invalid_address"),
        (400, "DeviceTokenNotForTopic", "rejected", "invalid_address"),
        (400, "BadTopic", "sender", "account"),
        (400, "IdleTimeout", "retryable", "unknown"),
        (403, "InvalidProviderToken", "account", "account"),
        (403, "ExpiredProviderToken", "retryable", "unknown"),
        (413, "PayloadTooLarge", "rejected", "content"),
        (429, "TooManyRequests", "retryable", "rate"),
        (429, "TooManyProviderTokenUpdates", "retryable", "rate"),
        (500, "InternalServerError", "retryable", "unknown"),
        (503, "Shutdown", "retryable", "unknown"),
    ],
)
def test_each_reason_has_its_meaning(status: int, word: str, state: str, reason: str) -> None:
    """Apple's word is the code."""
    outcome = apns.read_response(Response(status, {}, orjson.dumps({"reason": word})))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.code) == (state, reason, word)


def test_a_dead_token_is_reported_with_its_time() -> None:
    """Since when, so that a token that was registered after that is not taken for dead."""
    body = b'{"reason":"Unregistered","timestamp":1772440200000}'
    error = apns.read_response(Response(410, {}, body)).error
    assert error is not None and error.text == "not valid since 2026-03-02T08:30:00Z"
    for odd in (b"1e400", b"-1", b'"x"', b"null", b"99999999999999999999"):
        assert apns.read_response(Response(410, {}, b'{"reason":"Unregistered","timestamp":%s}' % odd)).error


@pytest.mark.parametrize("sender", ["com.example.shop\r\napns-priority: 10", "com.example shop", "ä"])
def test_a_sender_is_one_topic(sender: str) -> None:
    """It comes with the message, and must not end the header that it goes into."""
    with pytest.raises(Unsendable):
        built(sender=sender, text="x")
