"""What is particular to Mailtrap: webhooks without a signature, a bad line among JSON lines."""

import base64
from datetime import UTC, datetime

import pytest

from adapters import interpret, mailtrap
from adapters.contract import InvalidSignature, Request, Unprocessable

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ITEM = b'{"event":"open","message_id":"1","event_id":"%d"}'


def request(body: bytes, url: str = "https://hooks.example.com/", **headers: str) -> Request:
    return Request("POST", url, headers, body, AT, "mailtrap")


def test_without_a_secret_the_url_counts() -> None:
    """Basic authentication or the key in the query; with a secret configured neither replaces the signature."""
    basic = {"authorization": "Basic " + base64.b64encode(b"u:p").decode()}
    assert mailtrap.verify(request(b"{}", **basic), {"basic_auth": ("u:p",)}) is True
    assert mailtrap.verify(request(b"{}", "https://h/?key=k"), {"url_secret": ("k",)}) is True
    assert mailtrap.verify(request(b"{}"), {}) is None
    with pytest.raises(InvalidSignature):
        mailtrap.verify(request(b"{}", **basic), {"basic_auth": ("u:p",), "signing_secret": ("s",)})


def test_a_bad_line_holds_up_no_other() -> None:
    """Each line is an event of its own; a body that is neither is refused."""
    found = interpret(request(ITEM % 1 + b"\n{oops\n\n" + ITEM % 2 + b"\n"), "mailtrap")
    assert [event.source_event_id for event in found.events] == ["1", "2"]
    assert len(found.unprocessable) == 1
    for body in (b"oops\noops", b"{oops", b'{"a":1}', b"7"):
        with pytest.raises(Unprocessable):
            interpret(request(body), "mailtrap")


@pytest.mark.parametrize(
    ("word", "why", "reason"),
    [
        ("reject", "Recipient in suppression list. Reason: unsubscription", "opted_out"),
        ("reject", "Recipient in suppression list. Reason: hard bounce", "invalid_address"),
        ("suspension", "Your account has reached its daily sending limit.", "rate"),
        ("reject", "unknown", "blocked"),
    ],
)
def test_why_mailtrap_refused(word: str, why: str, reason: str) -> None:
    """Only what the recipient wished opts them out."""
    item = f'{{"events":[{{"event":"{word}","message_id":"1","event_id":"2","email":"ana@example.com","reason":"{why}"}}]}}'
    (event,) = interpret(request(item.encode()), "mailtrap").events
    assert event.error is not None and event.error.reason == reason
