"""Mailgun: what the signature covers and for how long, the parent account's signature, and what it cannot send."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson
import pytest

from adapters import ADAPTERS, mailgun
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.mailgun.send import build_request, read_response
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY, TOKEN = "key-1", "a" * 50
VALUES = {"signing_key": (KEY,)}
SENDING = {"api_key": ("key-2",), "domain": ("mg.example.com",), "sender": ("Shop <shop@mg.example.com>",)}


def made(key: str = KEY, at: datetime = AT) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = hmac.new(key.encode(), (timestamp + TOKEN).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": TOKEN, "signature": signature}


def request(signature: Any, data: Any = None, kind: str = "application/json") -> Request:
    body = orjson.dumps({"signature": signature, "event-data": data or {"event": "opened", "id": "1"}})
    return Request("POST", "https://hooks.example.com/", {"content-type": kind}, body, AT, "mailgun")


def test_a_last_retry_is_in_time_and_an_older_one_is_not() -> None:
    """Mailgun tries for eight hours; `max_age` shortens that, and a stored webhook is read again at any age."""
    late = request(made(at=AT - timedelta(hours=8, minutes=10)))
    assert mailgun.verify(late, VALUES) is True
    for refused, values in ((late, {"max_age": ("300",)}), (request(made(at=AT - timedelta(hours=8, minutes=30))), {})):
        with pytest.raises(InvalidSignature, match="seconds old"):
            mailgun.verify(refused, VALUES | values)
        assert mailgun.verify(refused, VALUES | values, fresh=False) is True
    for odd in ("long", "nan", "-1"):
        with pytest.raises(InvalidSignature, match="max_age"):
            mailgun.verify(late, VALUES | {"max_age": (odd,)})


def test_the_parent_accounts_signature_counts() -> None:
    """A subaccount's webhook is signed with its own key and, beside that, with the primary account's."""
    both = made("another") | {"parent-signature": made()["signature"]}
    assert mailgun.verify(request(both), VALUES) is True
    with pytest.raises(InvalidSignature):
        mailgun.verify(request(both | {"parent-signature": "0" * 64}), VALUES)


@pytest.mark.parametrize("signature", [None, {}, [], "x", {"timestamp": 1, "token": 2, "signature": 3}])
def test_a_body_without_a_signature_is_refused(signature: Any) -> None:
    """Whatever stands in its place."""
    with pytest.raises(InvalidSignature):
        mailgun.verify(request(signature), VALUES)


def test_a_multipart_mail_without_a_signature_is_refused() -> None:
    """The three signed fields are parts there."""
    fields = made() | {"recipient": "help@mg.example.com", "sender": "ana@example.com", "body-plain": "Hello"}

    def mail(names: set[str]) -> Request:
        parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in names]
        body = "".join([*parts, "--x--\r\n"]).encode()
        headers = {"content-type": "multipart/form-data; boundary=x"}
        return Request("POST", "https://hooks.example.com/", headers, body, AT, "mailgun")

    assert mailgun.verify(mail(set(fields)), VALUES) is True
    assert mailgun.normalize(mail(set(fields))).events[0].handle == Handle("email", "ana@example.com")
    with pytest.raises(InvalidSignature):
        mailgun.verify(mail(set(fields) - {"signature"}), VALUES)


def test_a_forms_delivery_reported_twice_is_one_fact_and_two_opens_are_two() -> None:
    """The form has no id, and its time may be that of the post."""

    def posted(event: str, at: datetime) -> str:
        body = urlencode(made(at=at) | {"event": event, "recipient": "ana@example.com", "Message-Id": "<1@x>"})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        one = Request("POST", "https://hooks.example.com/", headers, body.encode(), AT, "mailgun")
        return mailgun.normalize(one).events[0].source_event_id

    later = AT + timedelta(minutes=10)
    assert posted("delivered", AT) == posted("delivered", later)
    assert posted("opened", AT) != posted("opened", later)


def test_a_template_is_sent_with_its_variables_and_our_ids() -> None:
    """Variables of the template are not those that webhooks have again."""
    message = Message("m-1", "email", Handle("email", "ana@example.com"), template=Template("order", None, {"n": "1"}))
    values = SENDING | {"api_url": ("https://api.eu.mailgun.net",), "reply_to": ("help@mg.example.com",)}
    call = build_request(message, values, AT)
    fields = parse_qs(call.body.decode())
    assert call.url == "https://api.eu.mailgun.net/v3/mg.example.com/messages"
    assert fields["template"] == ["order"] and orjson.loads(fields["t:variables"][0]) == {"n": "1"}
    assert (fields["v:threadline_message_id"], fields["v:reference"]) == (["tl_cebadbb4_m-1"], ["m-1"])
    assert fields["h:Reply-To"] == ["help@mg.example.com"]


@pytest.mark.parametrize("more", [{}, {"text": "x", "media": (Media("https://example.com/a.png"),)}])
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, or a file by its address."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", Handle("email", "ana@example.com"), **more), SENDING, AT)


def test_the_id_in_the_answer_is_that_of_the_webhooks() -> None:
    """The API writes angle brackets around it, webhooks do not."""
    answered = read_response(Response(200, {}, b'{"id":"<1@mg.example.com>","message":"Queued"}'))
    data = {"event": "delivered", "id": "1", "message": {"headers": {"message-id": "1@mg.example.com"}}}
    (event,) = ADAPTERS["mailgun"].normalize(request(made(), data)).events
    assert answered.provider_message_id == event.provider_message_id == "1@mg.example.com"


def test_a_raw_mail_in_a_form_keeps_its_bytes() -> None:
    """The form is UTF-8, and the mail in it has a charset of its own."""
    raw = b"From: ana@example.com\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n\xc4\xfa\xba\xc3 + 1"
    body = urlencode(made() | {"recipient": "help@mg.example.com", "sender": "ana@example.com", "body-mime": raw})
    kind = {"content-type": "application/x-www-form-urlencoded"}
    mail = Request("POST", "https://hooks.example.com/", kind, body.encode(), AT, "mailgun")
    (event,) = mailgun.normalize(mail).events
    assert event.payload["content"] == {"text": "您好 + 1"}
