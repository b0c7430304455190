"""Vonage, where the general tests don't reach: both signatures' refusals, the token it is sent under, what it can't send."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters import vonage
from adapters.contract import InvalidSignature, Media, Message, Request, Template, Unsendable
from adapters.simulating import Call, Refused
from adapters.vonage import simulator as simulated
from adapters.vonage.send import build_request
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate/vonage"
SECRET = "a_signature_secret_of_more_than_32_bytes"
TO = Handle("phone", "+15551234567")
TEXT = Message("m-1", "sms", TO, "Shop", "Hello!")
BASIC = {"api_key": ["k"], "api_secret": ["s"]}


def token(algorithm: str = "HS256", secret: str = SECRET, body: bytes = b"{}", **claims: object) -> str:
    output = {"iat": int(AT.timestamp()), "payload_hash": hashlib.sha256(body).hexdigest(), "api_key": "k"} | claims
    return jwt.encode(output, secret if algorithm != "none" else "", algorithm=algorithm)


def posted(given: str, body: bytes = b"{}", at: datetime = AT) -> Request:
    return Request("POST", URL, {"authorization": f"Bearer {given}"}, body, at, "vonage")


def sms(secret: str = SECRET, **fields: str) -> Request:
    """A delivery receipt by GET, signed with `sha256` as the page describes it."""
    fields = {"messageId": "0A", "msisdn": "15551234567", "timestamp": str(int(AT.timestamp()))} | fields
    reported = "".join(f"&{name}={fields[name].replace('&', '_').replace('=', '_')}" for name in sorted(fields))
    sig = hmac.new(secret.encode(), reported.encode(), "sha256").hexdigest().upper()
    query = "&".join(f"{name}={value.replace('&', '%26').replace('=', '%3D')}" for name, value in fields.items())
    return Request("GET", f"{URL}?{query}&sig={sig}", {}, b"", AT, "vonage")


def test_a_token_of_another_kind_or_hash_is_refused() -> None:
    """Only HS256 counts, only the body that it names, and only with a hash at all."""
    values = {"signature_secret": [SECRET]}
    assert vonage.verify(posted(token()), values) is True
    other = urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for given in (
        token("HS512", SECRET * 2),
        f"{other}.{token().split('.')[1]}.",
        token(body=b"{ }"),
        token(payload_hash=None),
        "a.b.c",
        "",
        f"{urlsafe_b64encode(b'[' * 9000).decode()}.e30.e30",
    ):
        with pytest.raises(InvalidSignature):
            vonage.verify(posted(given), values)


def test_an_old_token_is_refused_unless_stored() -> None:
    """The window holds for what arrives, not for what is read again; `max_age` widens it."""
    late, values = posted(token(), at=AT + timedelta(seconds=400)), {"signature_secret": [SECRET]}
    with pytest.raises(InvalidSignature):
        vonage.verify(late, values)
    assert vonage.verify(late, values, fresh=False) is True
    assert vonage.verify(late, values | {"max_age": ["3600"]}) is True
    with pytest.raises(InvalidSignature):
        vonage.verify(late, values | {"max_age": ["an hour"]})


def test_the_parameters_are_signed_with_underscores_for_their_marks() -> None:
    """`&` and `=` in values count as `_`; another method, another time, a second sig or a nested value are refused."""
    values = {"signature_secret": [SECRET], "signature_method": ["sha256"]}
    good = sms(text="a=b&c")
    assert vonage.verify(good, values) is True
    with pytest.raises(InvalidSignature):
        vonage.verify(good, values | {"signature_method": ["md5hash"]})
    with pytest.raises(InvalidSignature):
        vonage.verify(good, values | {"signature_method": ["crc32"]})
    with pytest.raises(InvalidSignature):
        vonage.verify(replace(good, url=good.url + "&sig=0"), values)
    with pytest.raises(InvalidSignature):
        vonage.verify(replace(good, received_at=AT + timedelta(hours=1)), values)
    with pytest.raises(InvalidSignature):
        vonage.verify(replace(good, body=b"x"), values)
    with pytest.raises(InvalidSignature):
        vonage.verify(Request("POST", URL, {}, b'{"msisdn":{"a":1},"sig":"0"}', AT, "vonage"), values)
    assert vonage.verify(good, {}) is None


def test_an_answer_webhook_hears_instructions_and_no_other() -> None:
    """The empty list to it alone."""
    asked = Request("GET", f"{URL}?to=1&from=2&conversation_uuid=CON-1&uuid=3", {}, b"", AT, "vonage")
    reported = Request(
        "POST", URL, {}, b'{"from":"1","conversation_uuid":"CON-1","uuid":"3","status":"busy"}', AT, "vonage"
    )
    assert (vonage.answer(asked).body, vonage.answer(reported).body) == (b"[]", b"")


def test_a_send_is_signed_by_the_applications_key() -> None:
    """RS256, with the same token for the same message and time; a key that is none is named."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    values = {"application_id": ["app-1"], "private_key": [pem.replace("\n", "\\n")]}
    call = build_request(TEXT, values, AT)
    assert call == build_request(TEXT, values, AT)
    made = Call("POST", "/v1/messages", call.headers, call.body)
    assert simulated.accept(made, {"application_id": "app-1", "private_key": pem}, "1")[0].text == "Hello!"
    with pytest.raises(Refused):
        simulated.accept(made, {"application_id": "app-2", "private_key": pem}, "1")
    with pytest.raises(Unsendable, match="private_key"):
        build_request(TEXT, values | {"private_key": ["none"]}, AT)


def test_what_is_sent_has_vonages_form() -> None:
    """A medium with its caption, a template by position, an expiry, a page's user."""
    media = (Media("https://example.com/a.jpg", "image/jpeg"),)
    sent = [
        replace(TEXT, media=media, callback_url=URL),
        replace(TEXT, channel="whatsapp", template=Template("ns:order", "de", {"2": "b", "1": "a"})),
        replace(TEXT, expires_at=AT + timedelta(hours=1)),
        replace(TEXT, channel="chat", to=Handle("chat_id", "messenger:42")),
        replace(TEXT, channel="whatsapp", text="", media=(Media("https://example.com/a.pdf", name="a.pdf"),)),
    ]
    mms, template, expiring, messenger, file = [orjson.loads(build_request(one, BASIC, AT).body) for one in sent]
    assert (mms["channel"], mms["image"]["caption"], mms["webhook_version"]) == ("mms", "Hello!", "v1")
    assert template["template"] == {"name": "ns:order", "parameters": ["a", "b"]}
    assert template["whatsapp"] == {"policy": "deterministic", "locale": "de"}
    assert (expiring["ttl"], messenger["channel"], messenger["to"]) == (3600, "messenger", "42")
    assert file["file"] == {"url": "https://example.com/a.pdf", "name": "a.pdf"}


@pytest.mark.parametrize(
    "message",
    [
        replace(TEXT, text=None),
        replace(TEXT, media=(Media("https://example.com/a"),) * 2),
        replace(TEXT, template=Template("t")),
        replace(TEXT, channel="whatsapp", template=Template("t", None, {"name": "Ana"})),
        replace(TEXT, channel="whatsapp", media=(Media("https://example.com/a", "audio/ogg"),)),
        replace(TEXT, reference="x" * 101),
        replace(TEXT, sender=None),
    ],
)
def test_what_vonage_has_no_place_for_is_said(message: Message) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Unsendable):
        build_request(message, BASIC, AT)


def test_parameters_cannot_be_joined_under_the_same_signature() -> None:
    """`a=1&b=2` and the one parameter `a=1&b` of 2 make the same text to sign."""
    values = {"signature_secret": [SECRET], "signature_method": ["sha256"]}
    request = sms(status="delivered", to="Shop")
    assert vonage.verify(request, values) is True
    joined = request.url.replace("status=delivered", "").replace("&to=Shop", "&status%3Ddelivered%26to=Shop")
    joined = joined.replace("?&", "?").replace("&&", "&")
    with pytest.raises(InvalidSignature, match="contains & or ="):
        vonage.verify(replace(request, url=joined), values)
