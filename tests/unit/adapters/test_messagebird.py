"""MessageBird, where the general tests don't reach: the token's claims, Bird's and the older signature, what it sends."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jwt
import orjson
import pytest

from adapters import messagebird
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.messagebird.send import build_request, read_response
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NOW = int(AT.timestamp())
URL = "https://hooks.example.com/webhooks/aggregate/messagebird?status=sent&id=1"
KEY = "a_signing_key_of_more_than_32_bytes_length"
VALUES = {"signing_key": [KEY]}
SENDING = {"access_key": ["key"], "channel_id": ["channel-1"]}
SMS = Message("m-1", "sms", Handle("phone", "+15551234567"), "ExampleCo", "Hello!")
WHATSAPP = replace(SMS, channel="whatsapp", sender=None, reference="order-1")


def tokened(body: bytes = b"", algorithm: str = "HS256", **claims: object) -> Request:
    output = {
        "iss": "MessageBird",
        "nbf": NOW - 1,
        "exp": NOW + 60,
        "jti": "1",
        "url_hash": hashlib.sha256(URL.encode()).hexdigest(),
        **({"payload_hash": hashlib.sha256(body).hexdigest()} if body else {}),
    }
    made = {name: value for name, value in (output | claims).items() if value is not None}
    token = jwt.encode(made, KEY * 2 if algorithm == "none" else KEY, algorithm=algorithm)
    return Request("POST", URL, {"messagebird-signature-jwt": token}, body, AT, "messagebird")


def signed(place: str, body: bytes = b"{}", at: datetime = AT) -> Request:
    message = b"\n".join([str(NOW).encode(), place.encode(), hashlib.sha256(body).digest()])
    signature = b64encode(hmac.new(KEY.encode(), message, "sha256").digest()).decode()
    headers = {"messagebird-signature": signature, "messagebird-request-timestamp": str(NOW)}
    return Request("POST", URL, headers, body, at, "messagebird")


def test_a_token_holds_for_its_url_body_and_time() -> None:
    """Whatever claim is another's is refused; the time counts only for what arrives."""
    assert messagebird.verify(tokened(), VALUES) is True
    assert messagebird.verify(tokened(b"{}"), VALUES) is True
    for wrong in (
        {"iss": "Another"},
        {"url_hash": "0" * 64},
        {"url_hash": None},
        {"payload_hash": "0" * 64},
        {"exp": NOW - 60},
        {"nbf": NOW + 60},
        {"exp": "tomorrow"},
    ):
        with pytest.raises(InvalidSignature):
            messagebird.verify(tokened(**wrong), VALUES)
    with pytest.raises(InvalidSignature):
        messagebird.verify(replace(tokened(b"{}"), body=b"[]"), VALUES)
    with pytest.raises(InvalidSignature):
        messagebird.verify(replace(tokened(), body=b"{}"), VALUES)
    assert messagebird.verify(tokened(exp=NOW - 60), VALUES, fresh=False) is True


def test_bird_signs_the_url_and_repeats_for_a_day() -> None:
    """A repetition of hours later is as signed at first; one of another URL or day is refused."""
    assert messagebird.verify(signed(URL), VALUES) is True
    assert messagebird.verify(signed("id=1&status=sent"), VALUES) is True  # the older signature
    assert messagebird.verify(signed(URL, at=AT + timedelta(hours=4)), VALUES) is True
    for refused, values in (
        (signed("https://hooks.example.com/"), VALUES),
        (signed(URL, at=AT + timedelta(hours=25)), VALUES),
        (signed(URL, at=AT + timedelta(hours=4)), VALUES | {"max_age": ["300"]}),
        (signed(URL), VALUES | {"max_age": ["a day"]}),
        (replace(signed(URL), headers={}), VALUES),
    ):
        with pytest.raises(InvalidSignature):
            messagebird.verify(refused, values)


def test_what_is_sent_has_its_form() -> None:
    """SMS goes to the REST API, WhatsApp to Conversations by the channel's id, with ours to be echoed."""
    call = build_request(replace(SMS, expires_at=AT + timedelta(minutes=5), callback_url=URL), SENDING, AT)
    assert (call.url, call.headers["authorization"]) == ("https://rest.messagebird.com/messages", "AccessKey key")
    body = orjson.loads(call.body)
    assert (body["reference"], body["validity"], body["reportUrl"]) == ("m-1", 300, URL)
    media = (Media("https://example.com/a.jpg", "image/jpeg"),)
    sent = [
        WHATSAPP,
        replace(WHATSAPP, media=media),
        replace(WHATSAPP, template=Template("ns:order", "de", {"1": "a"})),
    ]
    text, image, hsm = [orjson.loads(build_request(one, SENDING, AT).body) for one in sent]
    assert (text["from"], text["source"]) == (
        "channel-1",
        {"threadline_message_id": "tl_cebadbb4_m-1", "reference": "order-1"},
    )
    assert image["content"] == {"image": {"url": "https://example.com/a.jpg", "caption": "Hello!"}}
    assert hsm["content"]["hsm"]["params"] == [{"default": "a"}]


@pytest.mark.parametrize(
    "message",
    [
        replace(SMS, text=None),
        replace(SMS, template=Template("t")),
        replace(SMS, sender=None),
        replace(WHATSAPP, text=None),
        replace(WHATSAPP, template=Template("without-namespace")),
        replace(WHATSAPP, template=Template("ns:t", None, {"name": "Ana"})),
        replace(WHATSAPP, media=(Media("https://example.com/a", "audio/ogg"),)),
        replace(WHATSAPP, media=(Media("https://example.com/a"),) * 2),
    ],
)
def test_what_it_has_no_place_for_is_said(message: Message) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Unsendable):
        build_request(message, SENDING, AT)


def test_a_bad_recipient_is_told_from_a_bad_parameter() -> None:
    """By the parameter that the error names."""
    for parameter, reason in (("recipients", "invalid_address"), ("body", "content")):
        error = {"code": 10, "description": "bad", "parameter": parameter}
        outcome = read_response(Response(422, {}, orjson.dumps({"errors": [error]})))
        assert outcome.error is not None and outcome.error.reason == reason
