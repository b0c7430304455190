"""A mail is read within bounds: what anyone can send must not take long, nor raise, and an ordinary mail is read whole."""

from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from hashlib import sha256

import pytest

from adapters.contract import Request
from adapters.reading.mime import MOST_LINES, bare_id, content_of, mail_of, mailbox_of, word
from tests.support.costs import is_within

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

HARD = {
    "short lines": b"Subject: x\r\n\r\n" + b"a\r\n" * 330_000,
    "short parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\na\r\n" * 90_000,
    "headers": b"a: b\r\n" * 150_000,
    "folded headers": b"Subject: a\r\n" + b" b\r\n" * 250_000,
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(15_000)
    ),
    "nested mails": b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "parameters": b"Content-Type: text/plain; " + b"a=b;" * 250_000 + b"\r\n\r\nx",
    "quotes": b"Content-Type: text/plain; " + b'"\\;' * 250_000 + b"\r\n\r\nx",
    "pieces of a name": b"Content-Disposition: attachment; " + b"".join(b"filename*%d=a;" % i for i in range(50_000)),
    "parameters of parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + (b"--b\r\nContent-Type: application/x; " + b"a=b;" * 240 + b"\r\n\r\na\r\n") * 900,
    "encoded words": b"Content-ID: " + b"=?utf-8?q?a?= " * 70_000 + b"\r\nContent-Type: image/png\r\n\r\nx",
    "encoded subject": b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\r\n\r\nx",
    "CR alone": b"Subject: x\r\n\r\n" + b"\r" * 1_000_000,
    "uuencoded": b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 666 a\n" + b"#86)C\n" * 160_000,
}


def request() -> Request:
    return Request("POST", "https://hooks.example.com/", {}, b"", AT, "any")


@pytest.mark.parametrize("name", HARD)
def test_a_mail_made_to_cost_is_read_in_time(name: str) -> None:
    """A megabyte of it, as bytes and as text."""
    for data in (HARD[name], HARD[name].decode("latin-1")):
        assert is_within(0.15, partial(read, data))


def read(data: bytes | str) -> None:
    mail = mail_of(data, request())
    content_of(mail)
    word(mail, "Subject")


def test_the_mails_of_one_request_share_its_lines() -> None:
    """Many mails in one batch take no longer than one."""
    one = request()
    assert content_of(mail_of("Subject: x\n\n" + "a\n" * (MOST_LINES - 10), one))["text"].count("a") == MOST_LINES - 10
    assert content_of(mail_of("Subject: x\n\n" + "a\n" * 100, one))["text"].count("a") == 6
    assert content_of(mail_of("Subject: x\n\na\n", one)) == {}


def test_an_ordinary_mail_is_read_whole() -> None:
    """Text, HTML, and an attachment of 600 kilobytes by its name in another script."""
    made = EmailMessage()
    made["Subject"] = "Où?"
    made.set_content("Où est-il?")
    made.add_alternative("<p>Où est-il?</p>", subtype="html")
    made.add_attachment(b"x" * 600_000, maintype="image", subtype="png", filename="boîte.png")
    mail = mail_of(made.as_bytes(), request())
    content = content_of(mail)
    assert content["text"].strip() == "Où est-il?" and content["html"].strip() == "<p>Où est-il?</p>"
    digest = sha256(b"x" * 600_000).hexdigest()
    assert content["media"] == [{"name": "boîte.png", "type": "image/png", "size": 600_000, "digest": digest}]
    assert word(mail, "Subject") == "Où?"


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Ana López <ana@example.com>", ("Ana López", "ana@example.com")),
        ("ana@example.com", ("", "ana@example.com")),
        ("(" * 1500 + "<ana@example.com>", ("", "ana@example.com")),
        ("a" * 5000 + " <ana@example.com>", ("", "ana@example.com")),
        ("", ("", "")),
    ],
)
def test_a_mailbox_is_found_in_any_header(written: str, mailbox: tuple[str, str]) -> None:
    """Also where the standard library would not come back from its comments."""
    assert mailbox_of(written) == mailbox


@pytest.mark.parametrize(
    ("written", "id_"), [("<1@x>", "1@x"), ("1@x", "1@x"), (" <1@x> <2@x>", "1@x"), ("", None), (7, None)]
)
def test_a_message_id_is_reported_without_its_brackets(written: object, id_: str | None) -> None:
    """As APIs and webhooks write it now with and now without."""
    assert bare_id(written) == id_
