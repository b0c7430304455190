"""Web push: RFC 8291's worked example, what the browser can read of a message, and what the push services answer."""

import hmac
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters import webpush
from adapters.contract import HttpCall, Media, Message, Response, Template, Unsendable
from adapters.signing.jwt_es256 import from_base64url, private_key, to_base64url
from adapters.webpush.encryption import MAX_PLAINTEXT, encrypt, point
from adapters.webpush.simulator import CUSTOMERS
from schemas.events import Handle
from tests.fixtures import accounts

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = accounts("webpush").values
#: RFC 8291, appendix A: the browser's key pair and secret, the sender's key, the salt, and the message they make.
BROWSER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
MESSAGE = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def built(**more: Any) -> HttpCall:
    message = {"message_id": "m-1", "channel": "push", "to": Handle("device_token", CUSTOMERS["push"]), **more}
    return webpush.build_request(Message(**message), VALUES, NOW)


def read(body: bytes) -> bytes:
    """As the browser of the example decrypts it, step by step after RFC 8291 section 3.4 and RFC 8188 section 2."""
    salt, sender, cipher = body[:16], body[21:86], body[86:]
    key = private_key(BROWSER)
    secret = key.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sender))
    mixed = hmac.digest(from_base64url(AUTH), secret, "sha256")
    shared = hmac.digest(mixed, b"WebPush: info\0" + from_base64url(P256DH) + sender + b"\1", "sha256")
    pseudo = hmac.digest(salt, shared, "sha256")
    content_key = hmac.digest(pseudo, b"Content-Encoding: aes128gcm\0\1", "sha256")[:16]
    nonce = hmac.digest(pseudo, b"Content-Encoding: nonce\0\1", "sha256")[:12]
    return AESGCM(content_key).decrypt(nonce, cipher, None).rstrip(b"\0").removesuffix(b"\2")


def test_the_example_of_the_standard_is_encrypted_as_it_says() -> None:
    """RFC 8291, appendix A: to the last byte."""
    text = b"When I grow up, I want to be a watermelon"
    made = encrypt(
        text, from_base64url(P256DH), from_base64url(AUTH), salt=from_base64url(SALT), private_key=private_key(SENDER)
    )
    assert to_base64url(made) == MESSAGE
    assert read(made) == text


def test_the_browser_reads_title_body_and_data() -> None:
    """The subject is the title; each message has a salt and a key of its own."""
    call = built(subject="Shipped", text="On its way ✓", media=(Media("https://example.com/a.png"),), data={"n": 3})
    image = "https://example.com/a.png"
    assert orjson.loads(read(call.body)) == {
        "title": "Shipped",
        "body": "On its way ✓",
        "image": image,
        "data": {"n": 3},
    }
    again = built(subject="Shipped", text="On its way ✓")
    assert again.body[:86] != call.body[:86] and again.headers["topic"] == call.headers["topic"]
    assert len(built(text="x" * (MAX_PLAINTEXT - len('{"body":""}'))).body) == 4096


def test_the_token_says_who_sends_to_which_service() -> None:
    """RFC 8292: the service's origin, an expiry within a day, an address; the key that signed is beside it."""
    call = built(text="x")
    assert call.url == orjson.loads(CUSTOMERS["push"])["endpoint"]
    scheme, signed, key = call.headers["authorization"].split(" ")
    assert scheme == "vapid" and key == "k=" + to_base64url(point(private_key(VALUES["vapid_private_key"][0])))
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), urlsafe_b64decode(key[2:] + "="))
    options: Any = {"verify_exp": False}
    token = signed.removeprefix("t=").removesuffix(",")
    claims = jwt.decode(token, public, ["ES256"], audience="https://push.example.com", options=options)
    assert 3600 < claims["exp"] - NOW.timestamp() <= 86400 and claims["sub"] == "mailto:shop@example.com"
    elsewhere = webpush.build_request(
        Message("m", "push", Handle("device_token", CUSTOMERS["push"]), text="x"),
        {**VALUES, "api_url": ("http://127.0.0.1:9/",)},
        NOW,
    )
    assert elsewhere.url.startswith("http://127.0.0.1:9/wpush/")


def test_it_expires() -> None:
    """In seconds from now, four weeks at most; 0 where it is late already."""
    times = (None, NOW + timedelta(hours=1), NOW + timedelta(days=99), NOW - timedelta(days=1))
    assert [built(text="x", expires_at=at).headers["ttl"] for at in times] == ["2419200", "3600", "2419200", "0"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"html": "<p>Hi</p>"},
        {"text": "x", "template": Template("hello")},
        {"text": "x", "media": (Media("https://example.com/1"), Media("https://example.com/2"))},
        {"text": "x" * MAX_PLAINTEXT},
    ],
)
def test_what_a_push_has_no_place_for_is_reported(more: dict[str, Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(Unsendable):
        built(**more)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "[]",
        '{"endpoint":"https://push.example.com/1"}',
        '{"endpoint":"https://push.example.com/1","keys":7}',
        '{"endpoint":"https://push.example.com/1","keys":{"p256dh":7,"auth":null}}',
        '{"endpoint":"https://push.example.com/1","keys":{"p256dh":"AAAA","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}',
        f'{{"endpoint":"https://push.example.com/1","keys":{{"p256dh":"{P256DH}","auth":"AAAA"}}}}',
        f'{{"endpoint":"https://push.example.com/1","keys":{{"p256dh":"{P256DH}","auth":"é"}}}}',
        f'{{"endpoint":"http://push.example.com/1","keys":{{"p256dh":"{P256DH}","auth":"{AUTH}"}}}}',
        f'{{"endpoint":"https:///1","keys":{{"p256dh":"{P256DH}","auth":"{AUTH}"}}}}',
        f'{{"endpoint":"https://push.example.com/\\n1","keys":{{"p256dh":"{P256DH}","auth":"{AUTH}"}}}}',
        f'{{"endpoint":"https://[1","keys":{{"p256dh":"{P256DH}","auth":"{AUTH}"}}}}',
    ],
)
def test_what_is_no_subscription_is_reported(value: str) -> None:
    """Keys that are none, an endpoint that is not https."""
    with pytest.raises(Unsendable, match="ubscription"):
        built(to=Handle("device_token", value), text="x")


@pytest.mark.parametrize("key", ["", "AAAA", "no key"])
def test_a_key_that_cannot_be_read_is_reported(key: str) -> None:
    """It says what to set, and never shows the key."""
    message = Message("m", "push", Handle("device_token", CUSTOMERS["push"]), text="x")
    with pytest.raises(Unsendable, match="vapid_private_key"):
        webpush.build_request(message, {**VALUES, "vapid_private_key": (key,)}, NOW)


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (400, "rejected", "unknown"),
        (401, "rejected", "unknown"),
        (403, "rejected", "unknown"),
        (404, "rejected", "invalid_address"),
        (410, "rejected", "invalid_address"),
        (413, "rejected", "content"),
        (429, "retryable", "rate"),
        (500, "retryable", "unknown"),
        (503, "retryable", "unknown"),
    ],
)
def test_each_status_has_its_meaning(status: int, state: str, reason: str) -> None:
    """The words are the push service's own, in JSON or bare."""
    for body, words in ((b'{"message":"m"}', "m"), (b'{"reason":"r"}', "r"), (b"plain \n", "plain"), (b"", None)):
        outcome = webpush.read_response(Response(status, {"retry-after": "30"}, body))
        assert outcome.error is not None and (outcome.state, outcome.error.reason) == (state, reason)
        assert (outcome.error.code, outcome.error.text) == (str(status), words)
        assert outcome.retry_after == (30.0 if state == "retryable" else None)
