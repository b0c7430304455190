"""What is particular to Resend: the documentation's own signature, ages, what a message becomes as an API call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import resend
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.resend.send import build_request, read_response
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"api_key": ("re_1",), "sender": ("Shop <shop@example.com>",)}
MAIL = Message("m-1", "email", Handle("email", "ana@example.com"), subject="Hi", text="Hello")
#: https://docs.svix.com/receiving/verifying-payloads/how-manual, repeated on Resend's page without the secret.
DOCUMENTED = Request(
    "POST",
    "https://hooks.example.com/",
    {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    b'{"test": 2432232314}',
    datetime.fromtimestamp(1614265330, UTC),
    "resend",
)
SECRET = {"signing_secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",)}


def body(message: Message) -> Any:
    return orjson.loads(build_request(message, VALUES, AT).body)


def test_the_documented_signature_verifies_for_five_minutes() -> None:
    """As Svix's page has it; older it is refused, unless it is a stored one."""
    assert resend.verify(DOCUMENTED, SECRET) is True
    late = replace(DOCUMENTED, received_at=DOCUMENTED.received_at + timedelta(seconds=301))
    with pytest.raises(InvalidSignature, match="seconds old"):
        resend.verify(late, SECRET)
    assert resend.verify(late, SECRET, fresh=False) is True
    assert resend.verify(DOCUMENTED, {}) is None


def test_a_header_that_is_missing_is_named() -> None:
    """The operator reads Svix's name of it."""
    for name in DOCUMENTED.headers:
        headers = {key: value for key, value in DOCUMENTED.headers.items() if key != name}
        with pytest.raises(InvalidSignature, match=name):
            resend.verify(replace(DOCUMENTED, headers=headers), SECRET)


def test_a_message_becomes_a_call() -> None:
    """Every part that Resend has a place for; the key of idempotency is our id."""
    call = build_request(MAIL, VALUES, AT)
    assert (call.method, call.url) == ("POST", "https://api.resend.com/emails")
    assert call.headers["authorization"] == "Bearer re_1" and call.headers["idempotency-key"] == "m-1"
    media = (Media("https://example.com/a/bill.pdf?x=1", "application/pdf"),)
    data = {"listUnsubscribe": "https://example.com/u/1", "replyTo": "help@example.com"}
    output = body(replace(MAIL, html="<p>Hello</p>", media=media, reference="order-42", data=data))
    assert output == {
        "from": "Shop <shop@example.com>",
        "to": ["ana@example.com"],
        "subject": "Hi",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "attachments": [
            {
                "path": "https://example.com/a/bill.pdf?x=1",
                "filename": "bill.pdf",
                "content_type": "application/pdf",
            }
        ],
        "tags": [
            {"name": "threadline_message_id", "value": "tl_cebadbb4_m-1"},
            {"name": "reference", "value": "order-42"},
        ],
        "reply_to": "help@example.com",
        "headers": {
            "List-Unsubscribe": "<https://example.com/u/1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }
    template = replace(MAIL, text=None, template=Template("welcome", variables={"NAME": "Ana"}))
    assert body(template)["template"] == {"id": "welcome", "variables": {"NAME": "Ana"}}


def test_what_resend_would_refuse_is_not_given() -> None:
    """A tag's value has letters, digits, `_` and `-`; a key is of printable ASCII."""
    call = build_request(replace(MAIL, message_id="á/1", reference="order 42"), VALUES, AT)
    assert "tags" not in orjson.loads(call.body)
    assert call.headers["idempotency-key"].isascii()


@pytest.mark.parametrize(
    "message",
    [
        replace(MAIL, subject=None),
        replace(MAIL, text=None),
        replace(MAIL, template=Template("welcome")),
    ],
)
def test_what_it_cannot_send_it_says(message: Message) -> None:
    """No subject, nothing to say, or both a template and text."""
    with pytest.raises(Unsendable):
        build_request(message, VALUES, AT)
    with pytest.raises(Unsendable, match="api_key"):
        build_request(MAIL, {"sender": ("a@example.com",)}, AT)


def test_two_at_once_under_one_key_may_pass_later() -> None:
    """409 is final where the body differs, and not where the first is still under way."""
    for name, state in (("concurrent_idempotent_requests", "retryable"), ("invalid_idempotent_request", "rejected")):
        outcome = read_response(Response(409, {}, orjson.dumps({"name": name, "message": "…"})))
        assert (outcome.state, outcome.error and outcome.error.code) == (state, name)


@pytest.mark.parametrize(
    ("type_", "more", "named"),
    [
        ("email.sent", {}, ["ana@example.com", "ben@example.com"]),
        ("email.delivered", {}, [None]),
        ("email.suppressed", {}, [None]),
        (
            "email.bounced",
            {"bounce": {"type": "Permanent", "diagnosticCode": ["550 <Ben@Example.com>: no"]}},
            ["ben@example.com"],
        ),
        ("email.bounced", {"bounce": {"type": "Permanent", "diagnosticCode": ["550 no"]}}, [None]),
    ],
)
def test_one_recipients_event_names_not_all(type_: str, more: dict[str, Any], named: list[str | None]) -> None:
    """Resend posts a delivery for each recipient, with all of them in `to`."""
    data = {"email_id": "e-1", "to": ["ana@example.com", "ben@example.com"]} | more
    body = orjson.dumps({"type": type_, "created_at": "2026-03-02T09:29:12.126Z", "data": data})
    found = resend.normalize(replace(DOCUMENTED, body=body)).events
    assert [event.handle and event.handle.value for event in found] == named
