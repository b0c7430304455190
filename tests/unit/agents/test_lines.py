"""Nothing that a client writes ends a header: hostile texts in every field of every adapter that sends, and the bytes of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from adapters import ADAPTERS, PROVIDERS
from adapters.contract import HttpCall, Mail, Media, Message, Outgoing, Publish, Template, Unsendable
from adapters.reading.lines import lined
from agents.transport.mailing import HEADERS, may_be_written
from agents.transport.unanswered import NoAnswer
from agents.transport.written import headers_of, text_of, url_of
from app.sending.requests import read_request
from schemas import SchemaError
from schemas.events import Handle
from tests.fixtures import accounts
from tests.unit.simulator.played import message

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDERS = [
    pytest.param(provider, channel, id=f"{provider}-{channel}")
    for provider in PROVIDERS
    for channel in sorted(ADAPTERS[provider].sends)
]
INJECTED = "X-Injected: yes"
HOSTILE = (
    f"a\r\n{INJECTED}\r\n\r\nbody",
    f"a\n{INJECTED}",
    f"a\r{INJECTED}",
    f"a\x00{INJECTED}",
    f"a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029{INJECTED}",
    "=?utf-8?q?x=0D=0AX-Injected:_yes?=",
    "=?utf-8?q?x=0D=0ABcc:_v@x.example=0D=0A=0D=0Aforged?=",
    "=?utf-8?b?eA0KWC1JbmplY3RlZDogeWVz?=",
    "=?utf-8?q?x=0D=0AX-Injected:_yes?= <a@b.example>",
    "a@b.example>\r\nRCPT TO:<v@x.example",
    "x" * 100_000,
    ("é" * 70 + " ") * 200,
    "\x7f\x1b[2J",
)


def plain_of(provider: str, channel: str) -> Message:
    """One that it can send; SMTP has no simulated provider."""
    return message("sendgrid" if provider == "smtp" else provider, channel)


def hostile(of: Message) -> Iterator[Message]:
    """The message with each hostile text in each of its fields, one at a time."""
    for text in HOSTILE:
        for field in ("message_id", "sender", "text", "subject", "html", "reference", "callback_url"):
            changed: dict[str, Any] = {field: text}
            yield replace(of, **changed)
        yield replace(of, to=Handle(of.to.kind, text))
        yield replace(of, to=Handle(of.to.kind, of.to.value + text))
        for name in ("url", "type", "name"):
            yield replace(of, media=(replace(Media("https://example.com/a.mp3", "audio/mpeg", "a"), **{name: text}),))
        yield replace(of, text=None, html=None, template=Template(text, text, {text: text, "1": text}))
        for name in ("replyTo", "inReplyTo", "listUnsubscribe", "collapseKey", "tag", text):
            yield replace(of, data={name: text})


def built(provider: str, of: Message) -> Outgoing | None:
    """The call, None where it is refused; it is refused with words, in which no hostile text is repeated."""
    send = ADAPTERS[provider].send
    assert send is not None
    values = {name: (value,) for name, value in (accounts(provider).settings).items()} | {"access_token": ("t",)}
    try:
        outgoing: Outgoing = send.build_request(lined(of), values, AT)
    except Unsendable as refusal:
        assert str(refusal) and "\n" not in str(refusal)
        return None
    return outgoing


def lines_of(call: HttpCall) -> list[str] | None:
    """What is written of it before its body; None where the transport refuses it."""
    try:
        url = url_of(call.url)
        return [f"{call.method} {text_of(url)}", *(f"{name}: {value}" for name, value in headers_of(call, url))]
    except NoAnswer:
        return None


@pytest.mark.parametrize(("provider", "channel"), SENDERS)
def test_no_text_of_a_client_ends_a_line(provider: str, channel: str) -> None:
    """Of a call neither the request line nor a header has a control character; of a mail only the headers that it has
    without the text; of a publication the topic's levels."""
    plain = built(provider, plain_of(provider, channel))
    assert plain is not None
    for each in hostile(plain_of(provider, channel)):
        outgoing = built(provider, each)
        if isinstance(outgoing, HttpCall):
            for line in lines_of(outgoing) or ():
                assert line.isprintable(), line[:200]
            if outgoing.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
                assert b"\r" not in outgoing.body and b"\n" not in outgoing.body
        elif isinstance(outgoing, Mail):
            assert may_be_written(outgoing), outgoing.data[:300]
            assert INJECTED.encode() not in outgoing.data.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").split(
                b"\r\n"
            )
            read = message_from_bytes(outgoing.data, policy=default)
            assert {name.lower().encode() for name in read} <= HEADERS and not read["Bcc"]
        elif isinstance(outgoing, Publish):
            assert not any(mark in outgoing.topic for mark in "+#\x00\r\n")


@pytest.mark.parametrize(
    "text", ["=?utf-8?q?x=0D=0ABcc:_v@x?=", "=?utf-8?b?eA0KQmNjOiB2QHg=?=", "a =?x?= b", "=?utf-8?q?caf=C3=A9?="]
)
def test_a_subject_that_looks_encoded_arrives_as_it_is(text: str) -> None:
    """RFC 2047: who wants these characters seen encodes them; a reader decodes once and sees the text that was sent."""
    outgoing = built("smtp", replace(plain_of("smtp", "email"), subject=text, sender=f"{text} <a@b.example>"))
    if outgoing is None:  # a name that cannot be distinguished from the address
        outgoing = built("smtp", replace(plain_of("smtp", "email"), subject=text))
    assert isinstance(outgoing, Mail)
    read = message_from_bytes(outgoing.data, policy=default)
    assert str(read["Subject"]) == text


def test_a_line_end_in_a_subject_is_a_blank() -> None:
    """It can be meant; all else that stands in one line is refused."""
    outgoing = built("smtp", replace(plain_of("smtp", "email"), subject="Your order\r\n\tis on its way\n"))
    assert isinstance(outgoing, Mail)
    assert message_from_bytes(outgoing.data, policy=default)["Subject"] == "Your order is on its way"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"sender": "Shop\r\nBcc: v@x <a@b.example>"}, "$.sender"),
        (
            {"content": {"text": "x", "data": {"listUnsubscribe": "https://x\nBcc: v"}}},
            "$.content.data.listUnsubscribe",
        ),
        ({"content": {"text": "x", "data": {"inReplyTo": "<a@b>\r\nX: y"}}}, "$.content.data.inReplyTo"),
        ({"content": {"text": "x", "media": [{"url": "https://x/a\r\nb"}]}}, "$.content.media[0].url"),
        ({"template": "welcome\nx", "content": None}, "$.template.name"),
    ],
)
def test_a_request_with_a_line_end_where_none_can_be_is_refused(given: dict[str, Any], path: str) -> None:
    """As it comes, with the path of the field: it is not kept to fail later."""
    document = {"to": "ana@example.com", "content": {"text": "x"}} | given
    document = {name: value for name, value in document.items() if value is not None}
    with pytest.raises(SchemaError) as refused:
        read_request(document, client_id="shop")
    assert refused.value.path == path


def test_the_transport_writes_no_mail_that_says_more() -> None:
    """Whatever built it: another recipient, a second body, a header twice, an address that ends its command."""
    mail = built("smtp", plain_of("smtp", "email"))
    assert isinstance(mail, Mail) and may_be_written(mail)
    for wrong in (
        replace(mail, data=b"Bcc: v@x.example\r\n" + mail.data),
        replace(mail, data=b"From: v@x.example\r\n" + mail.data),
        replace(mail, data=mail.data.replace(b"Subject: ", b"Subject: a\nBcc: v\r\nX: ", 1)),
        replace(mail, data=mail.data.replace(b"Subject: ", b"Subject: \x00", 1)),
        replace(mail, data=mail.data.replace(b"Subject: ", b"Subject: " + b"x" * 1200, 1)),
        replace(mail, sender="a@b.example>\r\nRCPT TO:<v@x.example"),
        replace(mail, recipients=("a@b.example BODY=8BITMIME",)),
    ):
        assert not may_be_written(wrong)


@pytest.mark.parametrize(("provider", "channel"), SENDERS)
def test_who_is_called_is_the_accounts_choice_or_the_call_is_not_trusted(provider: str, channel: str) -> None:
    """Nothing of a message moves the host: where a recipient's address is a URL to be called, the call says so."""
    plain = plain_of(provider, channel)
    usual = built(provider, plain)
    if not isinstance(usual, HttpCall):
        return
    moved = plain.to.value.replace("example.com", "evil.example").replace("googleapis.com", "evil.example")
    for text in (
        "evil.example",
        "@evil.example/",
        "//evil.example/",
        "evil.example#",
        "x:y@evil.example",
        "\\evil",
        moved,
    ):
        for field in ("sender", "message_id", "reference", "callback_url", "to"):
            value: Any = Handle(plain.to.kind, text) if field == "to" else text
            outgoing = built(provider, replace(plain, **{field: value}))
            if isinstance(outgoing, HttpCall) and not outgoing.foreign:
                assert url_of(outgoing.url).host == url_of(usual.url).host, (field, text)


def test_a_subscriptions_endpoint_is_the_recipients() -> None:
    """Unless the operator says where push services are."""
    send: Any = ADAPTERS["webpush"].send
    values = {name: (value,) for name, value in accounts("webpush").settings.items() if name != "api_url"}
    assert send.build_request(plain_of("webpush", "push"), values, AT).foreign
    assert not send.build_request(plain_of("webpush", "push"), values | {"api_url": ("http://localhost",)}, AT).foreign
