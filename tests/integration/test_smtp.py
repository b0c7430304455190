"""A mail that the adapter built, handed to a real SMTP server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from smtplib import SMTP
from typing import cast

import pytest

from adapters import smtp
from adapters.contract import Message, Response
from schemas.events import Handle
from tests.integration import mail_server
from tests.integration.mail_server import Inbox

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"host": ("127.0.0.1",), "sender": ("Shop <shop@example.com>",)}


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """A server on a free port."""
    with mail_server.inbox() as found:
        yield found


def handed_over(message: Message, port: int) -> Response:
    """What the server says to the mail, or to its recipient where it does not want that."""
    mail = smtp.build_request(message, VALUES, AT)
    with SMTP("127.0.0.1", port, timeout=10) as server:
        server.ehlo()
        assert server.mail(mail.sender)[0] == 250
        for recipient in mail.recipients:
            status, text = server.rcpt(recipient)
            if status != 250:
                return Response(status, {}, text)
        status, text = server.data(mail.data)
        return Response(status, {}, text)


def test_what_was_sent_arrives(inbox: tuple[Inbox, int]) -> None:
    """The same words in text and HTML, a line that begins with a dot, for whom it was; the queue's id is read."""
    handler, port = inbox
    text = "Hello €!\n.\n..and on\n"
    message = Message(
        "m-1", "email", Handle("email", "ana@example.com"), subject="Grüße", text=text, html="<p>Hello €!</p>"
    )
    outcome = smtp.read_response(handed_over(message, port))
    assert (outcome.state, outcome.provider_message_id) == ("accepted", "4ABC1234")
    ((envelope, _, _),) = handler.came
    assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@example.com", ["ana@example.com"])
    mail = message_from_bytes(envelope.content, policy=default)
    assert (mail["Subject"], mail["Message-ID"]) == ("Grüße", "<m-1@example.com>")
    plain, rich = mail.iter_parts()
    assert cast(EmailMessage, plain).get_content().splitlines() == text.splitlines()
    assert cast(EmailMessage, rich).get_content().strip() == "<p>Hello €!</p>"


def test_a_recipient_that_is_refused_is_a_rejection(inbox: tuple[Inbox, int]) -> None:
    """The server's code and words are the error's."""
    message = Message("m-2", "email", Handle("email", "nobody@example.com"), subject="Hi", text="Hello")
    outcome = smtp.read_response(handed_over(message, inbox[1]))
    assert outcome.state == "rejected" and outcome.error is not None
    assert (outcome.error.code, outcome.error.reason) == ("5.1.1", "invalid_address")


@pytest.mark.parametrize(
    "text", ["=?utf-8?q?x=0D=0ABcc:_v@x.example=0D=0A=0D=0Aforged?=", "=?utf-8?b?eA0KQmNjOiB2QHg=?="]
)
def test_an_encoded_word_of_a_clients_is_text_on_the_wire(inbox: tuple[Inbox, int], text: str) -> None:
    """What the server was given has the headers of any mail, no further one, and the body that was sent."""
    handler, port = inbox
    message = Message("m-2", "email", Handle("email", "ana@example.com"), subject=text, text="Hello")
    assert handed_over(message, port).status == 250
    (came,) = handler.came
    head, _, body = came.envelope.content.partition(b"\r\n\r\n")
    assert not any(line.lower().startswith((b"bcc", b"forged")) for line in head.split(b"\r\n"))
    assert body.strip() == b"Hello" and came.envelope.rcpt_tos == ["ana@example.com"]
    assert str(message_from_bytes(came.envelope.content, policy=default)["Subject"]) == text
