"""What is particular to SendGrid: forms of its key, age of a signature, unsigned mail, mail in odd shapes."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from adapters import interpret, sendgrid
from adapters.contract import InvalidSignature, Request, Unprocessable
from adapters.reading import smtp_codes
from app.cli.support.http_file import read_request
from schemas.events import Event
from tests.fixtures import FOLDER, accounts

ACCOUNT = accounts("sendgrid")
KEY = ACCOUNT.settings["public_key"]


def fixture(name: str) -> Request:
    came = read_request(Path(FOLDER / "sendgrid" / f"{name}.http").read_bytes())
    return Request(came.method, came.url(), came.headers, came.body, ACCOUNT.at, "sendgrid")


def mail(*fields: tuple[str, str | bytes], **headers: str) -> Request:
    body = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + (value if isinstance(value, bytes) else value.encode())
        + b"\r\n"
        for name, value in fields
    )
    kind = {"content-type": "multipart/form-data; boundary=b"}
    return Request(
        "POST", "https://hooks.example.com/x?key=s3cret", kind | headers, body + b"--b--\r\n", ACCOUNT.at, "sendgrid"
    )


def event_of(request: Request) -> Event:
    (event,) = interpret(request, "sendgrid").events
    return event


def item(**fields: Any) -> Event:
    body = json.dumps([{"sg_event_id": "1", "sg_message_id": "m", "email": "ana@example.com", **fields}]).encode()
    return event_of(Request("POST", "https://h/", {"content-type": "application/json"}, body, ACCOUNT.at, "sendgrid"))


def test_the_key_is_taken_as_sendgrid_shows_it_and_as_pem() -> None:
    """Base64 of the DER, in one line or several, and PEM, also with its line ends written as \\n."""
    key = serialization.load_der_public_key(base64.b64decode(KEY))
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    for written in (KEY, f"{KEY[:40]}\n{KEY[40:]}\n", pem, pem.replace("\n", "\\n")):
        assert sendgrid.verify(fixture("delivery"), {"public_key": (written,)}) is True


@pytest.mark.parametrize("key", ["no key", "AAAA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_a_key_that_is_none_refuses_with_that_reason(key: str) -> None:
    """The operator sees the reason, and nothing passes."""
    with pytest.raises(InvalidSignature, match="public key cannot be read"):
        sendgrid.verify(fixture("delivery"), {"public_key": (key,)})


@pytest.mark.parametrize(("seconds", "fresh"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_has_an_age(seconds: int, fresh: bool) -> None:
    """Five minutes either way; a stored webhook that is read again has none."""
    request = fixture("delivery")
    request.received_at += timedelta(seconds=seconds)
    if fresh:
        assert sendgrid.verify(request, ACCOUNT.values) is True
    else:
        with pytest.raises(InvalidSignature, match="seconds old"):
            sendgrid.verify(request, ACCOUNT.values)
    assert sendgrid.verify(request, ACCOUNT.values, fresh=False) is True


def test_an_unsigned_mail_is_known_by_what_its_url_has_in_it() -> None:
    """Basic authentication or a secret of the query; a wrong one, or none, is refused; nothing configured: not checked."""
    basic = {"authorization": "Basic " + base64.b64encode(b"user:pass").decode()}
    request = mail(("from", "ana@example.com"))
    assert sendgrid.verify(mail(("from", "a@example.com"), **basic), {"basic_auth": ("user:pass",)}) is True
    assert sendgrid.verify(request, {"url_secret": ("s3cret",)}) is True
    assert sendgrid.verify(request, {"basic_auth": ("user:pass",), "url_secret": ("s3cret",)}) is True
    assert sendgrid.verify(request, {}) is None
    for values in ({"basic_auth": ("user:pass",)}, {"url_secret": ("other",)}, {"public_key": (KEY,)}):
        with pytest.raises(InvalidSignature):
            sendgrid.verify(request, values)


def test_events_need_their_signature_where_mail_needs_none() -> None:
    """The secret of the mail's URL does not open the door for forged events."""
    request = fixture("delivery")
    request.headers = {"content-type": "application/json"}
    request.url += "?key=s3cret"
    with pytest.raises(InvalidSignature):
        sendgrid.verify(request, {"public_key": (KEY,), "url_secret": ("s3cret",)})


def test_an_event_without_an_id_is_known_by_what_it_says() -> None:
    """The same again is the same fact; another address, time or event is another."""
    base = {"sg_event_id": None, "event": "delivered", "timestamp": 1772443770}
    first = item(**base).source_event_id
    assert item(**base).source_event_id == first
    others = [base | {"email": "bob@example.com"}, base | {"timestamp": 1772443771}, base | {"event": "open"}]
    assert len({first, *(item(**other).source_event_id for other in others)}) == 4


@pytest.mark.parametrize("timestamp", [0, "0", None, -5, 946684799, 10**30, True, "yesterday", float("1e300"), [1]])
def test_a_time_that_cannot_be_meant_is_absent(timestamp: Any) -> None:
    """Epoch 0 and what is no time make no `occurred_at`."""
    assert item(event="open", timestamp=timestamp).occurred_at is None


@pytest.mark.parametrize(
    ("status", "text", "code", "reason"),
    [
        ("5.1.1", "550 5.1.1 no such user", "5.1.1", "invalid_address"),
        (None, "550 5.2.2 full", "5.2.2", "unreachable"),
        (None, "421 4.7.28 rate limited", "4.7.28", "rate"),
        ("550", "no", "550", "unknown"),
        (None, "552 too big", "552", "unknown"),
        (None, None, None, "unknown"),
        (None, "connected to 192.5.1.1.9", None, "unknown"),
    ],
)
def test_refusals_are_read_by_their_codes(status: str | None, text: str | None, code: str | None, reason: str) -> None:
    """The enhanced code, wherever it stands, else three digits; no address of a machine is taken for one."""
    assert smtp_codes.code_of(status, text) == code
    assert smtp_codes.reason_of(smtp_codes.code_of(status, text)) == reason


def test_a_mail_is_one_fact_in_any_wrapping() -> None:
    """Redelivered in another boundary it has the same id; for another recipient it is another."""
    fields = [("headers", "Message-ID: <1@example.com>\n"), ("from", "ana@example.com"), ("text", "x")]
    envelope = ("envelope", '{"to":["help@in.example.com"],"from":"ana@example.com"}')
    first = mail(*fields, envelope)
    again = Request(
        first.method,
        first.url,
        {"content-type": "multipart/form-data; boundary=zz"},
        first.body.replace(b"--b", b"--zz"),
        ACCOUNT.at,
        "sendgrid",
    )
    assert event_of(first).source_event_id == event_of(again).source_event_id
    other = mail(*fields, ("envelope", '{"to":["sales@in.example.com"]}'))
    assert event_of(first).source_event_id != event_of(other).source_event_id
    assert event_of(mail(*fields)).payload["internetMessageId"] == "1@example.com"


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-8859-1", b"\xe9", "é"),
        ("windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("gb2312", "你好".encode("gb2312"), "你好"),
        ("UTF-8", b"\xff", "\ufffd"),
        ("no-such-charset", "é".encode(), "é"),
        ("unicode_escape", b"\\ud800", "\\ud800"),
        ("utf-7", b"+2AA-", "+2AA-"),
        ("", "é".encode(), "é"),
    ],
)
def test_text_is_read_in_the_charset_that_is_named(charset: str, data: bytes, text: str) -> None:
    """Each field has its own; what is no charset is UTF-8, and what is damaged is marked."""
    event = event_of(mail(("from", "ana@example.com"), ("text", data), ("charsets", f'{{"text":"{charset}"}}')))
    assert event.payload["content"]["text"] == text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff",
        b"Subject: =?x?y?z?=\r\n\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b"Content-Type: text/plain; charset==?\r\n\r\nx",
    ],
)
def test_damaged_mail_is_a_message_all_the_same(raw: bytes) -> None:
    """Who sent it is known from the form, and what can be read of it is."""
    event = event_of(mail(("from", "Ana <ana@example.com>"), ("email", raw)))
    assert (event.type, event.payload["from"], event.payload["displayName"]) == (
        "MessageReceived",
        "ana@example.com",
        "Ana",
    )


def test_a_form_that_is_no_mail_is_refused() -> None:
    """With its reason."""
    with pytest.raises(Unprocessable, match="mail"):
        interpret(mail(("a", "b")), "sendgrid")
