"""What is particular to MailerSend: its ping, an upper-case signature, what a message becomes, a warning in an answer."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import mailersend
from adapters.contract import Answer, InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.mailersend.send import build_request, read_response
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PING = b'{"type":"webhook.test","message":"This is a ping test message","created_at":"2026-03-02T09:29:57.604840Z"}'
PUBLIC = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"
VALUES = {"api_key": ("k",), "sender": ("Shop <shop@example.com>",), "signing_secret": ("s3cret",)}
MAIL = Message("m-1", "email", Handle("email", "ana@example.com"), subject="Hi", text="Hello")


def signed(body: bytes, secret: str) -> Request:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Request("POST", "https://hooks.example.com/", {"signature": digest}, body, AT, "mailersend")


def body(message: Message) -> Any:
    return orjson.loads(build_request(message, VALUES, AT).body)


def test_the_ping_is_answered_and_no_more() -> None:
    """The public secret signs a ping, and nothing else."""
    assert mailersend.handshake(signed(PING, PUBLIC), VALUES) == Answer()
    assert mailersend.handshake(signed(PING, PUBLIC), {}) == Answer()
    assert mailersend.handshake(signed(PING, "s3cret"), VALUES) == Answer()
    with pytest.raises(InvalidSignature):
        mailersend.handshake(signed(PING, "another"), VALUES)
    other = signed(b'{"type":"activity.sent","data":{"id":"webhook.test"}}', PUBLIC)
    assert mailersend.handshake(other, VALUES) is None
    with pytest.raises(InvalidSignature):
        mailersend.verify(other, VALUES)


def test_hex_digits_may_be_of_either_case() -> None:
    """The signature is a number."""
    request = signed(PING, "s3cret")
    request.headers = {"signature": request.headers["signature"].upper()}
    assert mailersend.verify(request, VALUES) is True


def test_a_message_becomes_a_call() -> None:
    """Every part that MailerSend has a place for."""
    call = build_request(MAIL, VALUES, AT)
    assert (call.method, call.url) == ("POST", "https://api.mailersend.com/v1/email")
    assert call.headers["authorization"] == "Bearer k"
    data = {"listUnsubscribe": "https://example.com/u/1", "replyTo": "Help <help@example.com>"}
    assert body(replace(MAIL, html="<p>Hello</p>", reference="order-42", data=data)) == {
        "from": {"email": "shop@example.com", "name": "Shop"},
        "to": [{"email": "ana@example.com"}],
        "subject": "Hi",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "tags": ["reference:order-42"],
        "reply_to": {"email": "help@example.com", "name": "Help"},
        "list_unsubscribe": "<https://example.com/u/1>",
    }
    output = body(replace(MAIL, text=None, subject=None, template=Template("t1", variables={"name": "Ana"})))
    assert output["template_id"] == "t1"
    assert output["personalization"] == [{"email": "ana@example.com", "data": {"name": "Ana"}}]


@pytest.mark.parametrize(
    "message",
    [replace(MAIL, subject=None), replace(MAIL, text=None), replace(MAIL, media=(Media("https://example.com/a.pdf"),))],
)
def test_what_it_cannot_send_it_says(message: Message) -> None:
    """No subject, nothing to say, an attachment that is only a URL."""
    with pytest.raises(Unsendable):
        build_request(message, VALUES, AT)


def test_a_suppressed_recipient_is_a_rejection_in_a_202() -> None:
    """Nothing is sent; the id is kept, as a webhook may report on it."""
    warned = {"message": "…", "warnings": [{"type": "SOME_SUPPRESSED", "warning": "Some have been suppressed."}]}
    outcome = read_response(Response(202, {"x-message-id": "5e42"}, orjson.dumps(warned)))
    assert (outcome.state, outcome.provider_message_id) == ("rejected", "5e42")
    assert read_response(Response(202, {"x-message-id": "5e42"}, b"")).provider_message_id == "5e42"


def test_an_answer_of_422_names_the_field() -> None:
    """What is wrong with the recipient is a bad address; else the words decide."""
    for field, reason in (("to.0.email", "invalid_address"), ("from.email", "account")):
        output = {"message": "The given data was invalid.", "errors": {field: ["It must be verified. #MS42207"]}}
        outcome = read_response(Response(422, {}, orjson.dumps(output)))
        assert outcome.state == ("rejected" if field == "to.0.email" else "sender") and outcome.error is not None
        assert (outcome.error.code, outcome.error.text) == (field, "It must be verified. #MS42207")
        assert outcome.error.reason == reason


@pytest.mark.parametrize("word", ["inbound_message.rejected", "recipient.on_hold_added", "recipient.on_hold_removed"])
def test_what_came_after_the_first_edition_is_mailersend_s_too(word: str) -> None:
    """And is kept, as nothing is known of what it has."""
    body = orjson.dumps({"type": word, "created_at": "2026-03-02T09:29:10Z", "data": {}})
    request = Request("POST", "https://hooks.example.com/", {"signature": "00"}, body, AT, "mailersend")
    assert mailersend.recognise(request)
    assert [event.type for event in mailersend.normalize(request).events] == ["ProviderEventReceived"]
