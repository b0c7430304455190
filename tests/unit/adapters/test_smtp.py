"""The mail that is handed to an SMTP server, and what is read from its reply."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

import pytest

from adapters import smtp
from adapters.contract import Mail, Media, Message, Response, Template, Unsendable
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"host": ("smtp.example.com",), "sender": ("Käse & Brot <shop@example.com>",)}
MAIL = Message(
    "m-1",
    "email",
    Handle("email", "ana@example.com"),
    subject="Your order — shipped",
    text="Hello <&> €!",
    html="<p>Hello €</p>",
)


def read(mail: Mail) -> EmailMessage:
    return message_from_bytes(mail.data, policy=default)


def test_a_message_becomes_a_mail() -> None:
    """Text and HTML as alternatives, names that are not ASCII, its time and id from what was given."""
    mail = smtp.build_request(MAIL, VALUES, AT)
    assert (mail.sender, mail.recipients) == ("shop@example.com", ("ana@example.com",))
    found = read(mail)
    assert found["From"] == "Käse & Brot <shop@example.com>" and found["To"] == "ana@example.com"
    assert found["Subject"] == "Your order — shipped"
    assert found["Date"].datetime == AT and found["Message-ID"] == "<m-1@example.com>"
    assert found.get_content_type() == "multipart/alternative"
    plain, rich = found.iter_parts()
    assert cast(EmailMessage, plain).get_content().strip() == "Hello <&> €!"
    assert cast(EmailMessage, rich).get_content().strip() == "<p>Hello €</p>"


def test_any_server_can_take_it() -> None:
    """ASCII, lines of less than 998 bytes that end in CRLF, whatever the text."""
    for message in (MAIL, replace(MAIL, text="x" * 5000 + "é" * 5000, html=None), replace(MAIL, text=None)):
        data = smtp.build_request(message, VALUES, AT).data
        assert data.isascii() and b"\n" not in data.replace(b"\r\n", b"")
        assert max(map(len, data.split(b"\r\n"))) < 998


def test_a_repeat_is_the_same_mail() -> None:
    """To the byte: nothing of it is left to chance."""
    assert smtp.build_request(MAIL, VALUES, AT) == smtp.build_request(MAIL, VALUES, AT)
    odd = smtp.build_request(replace(MAIL, message_id="a b@c\n"), VALUES, AT)
    assert odd == smtp.build_request(replace(MAIL, message_id="a b@c\n"), VALUES, AT)
    assert read(odd)["Message-ID"] != read(smtp.build_request(MAIL, VALUES, AT))["Message-ID"]


def test_the_headers_that_a_message_asks_for() -> None:
    """One-click unsubscription, where to answer, what it answers; bounces where the source says."""
    data = {"listUnsubscribe": "https://example.com/u/1", "replyTo": "help@example.com", "inReplyTo": "<x@example.com>"}
    mail = smtp.build_request(replace(MAIL, data=data), VALUES | {"return_path": ("bounces@example.com",)}, AT)
    found = read(mail)
    assert mail.sender == "bounces@example.com"
    assert found["List-Unsubscribe"] == "<https://example.com/u/1>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (found["Reply-To"], found["In-Reply-To"], found["References"]) == (
        "help@example.com",
        "<x@example.com>",
        "<x@example.com>",
    )


def test_a_domain_is_written_in_ascii() -> None:
    """As each server takes it."""
    mail = smtp.build_request(replace(MAIL, to=Handle("email", "ana@bücher.example")), VALUES, AT)
    assert mail.recipients == ("ana@xn--bcher-kva.example",)


@pytest.mark.parametrize(
    "message",
    [
        replace(MAIL, subject="Hi\0Bcc: eve@example.com"),
        replace(MAIL, sender="Shop\r\nBcc: eve@example.com <shop@example.com>"),
        replace(MAIL, sender="shop"),
        replace(MAIL, to=Handle("email", "ana@example.com>\r\nRCPT TO:<eve@example.com")),
        replace(MAIL, to=Handle("email", "añá@example.com")),
        replace(MAIL, data={"replyTo": "a@example.com\nBcc: eve@example.com"}),
        replace(MAIL, data={"listUnsubscribe": "https://example.com/\r\nBcc: eve@example.com"}),
        replace(MAIL, text=None, html=None),
        replace(MAIL, text="\ud800"),
        replace(MAIL, media=(Media("https://example.com/a.pdf"),)),
        replace(MAIL, template=Template("welcome")),
    ],
)
def test_what_cannot_be_sent_is_refused(message: Message) -> None:
    """Line ends that would begin another header, addresses that are none, nothing to say, URLs, templates."""
    try:
        mail = smtp.build_request(message, VALUES, AT)
    except Unsendable as refusal:
        assert str(refusal)
    else:
        raise AssertionError(mail.data)


def test_without_a_server_nothing_is_built() -> None:
    """The setting that is missing is named."""
    with pytest.raises(Unsendable, match="host"):
        smtp.build_request(MAIL, {}, AT)


@pytest.mark.parametrize(
    ("reply", "queued_as"),
    [
        ("2.0.0 Ok: queued as 4ABC1234", "4ABC1234"),
        ("250 Message queued as 63fd1c1d5f010335ed07066b", "63fd1c1d5f010335ed07066b"),
        ("OK id=1qXyZ0-0003Ab-2c", "1qXyZ0-0003Ab-2c"),
        ("2.0.0 41JAbc012345 Message accepted for delivery", "41JAbc012345"),
        ("Ok 0102018f5b3e4b1c-7c2a0000-0000-0000-0000-000000000000-000000", "0102018f5b3e4b1c-7c2a0000-0000-0000-0000-000000000000-000000"),
        ("2.0.0 OK  1477944899 ly2si31746747wjb.95 - gsmtp", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_queue_is_known_where_the_server_names_it(reply: str, queued_as: str | None) -> None:
    """Taken, with or without an id."""
    outcome = smtp.read_response(Response(250, {}, reply.encode()))
    assert (outcome.state, outcome.provider_message_id) == ("accepted", queued_as)


@pytest.mark.parametrize(
    ("status", "reply", "state", "code", "reason"),
    [
        (450, "4.7.1 greylisted", "retryable", "4.7.1", "rate"),
        (421, "too busy", "retryable", "421", "unreachable"),
        (354, "", "retryable", "354", "unknown"),
        (550, "5.1.1 no such user", "rejected", "5.1.1", "invalid_address"),
        (550, "550 5.7.1 not allowed", "rejected", "5.7.1", "blocked"),
        (553, "mailbox name not allowed", "rejected", "553", "invalid_address"),
        (535, "5.7.8 bad credentials", "account", "5.7.8", "account"),
        (554, "\xff", "rejected", "554", "unknown"),
    ],
)
def test_a_refusal_is_read(status: int, reply: str, state: str, code: str, reason: str) -> None:
    """4xx may pass later, 5xx never will; the enhanced code gives the reason."""
    outcome = smtp.read_response(Response(status, {}, reply.encode("latin-1")))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code, outcome.error.reason) == (state, code, reason)
