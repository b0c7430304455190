"""An action of one person that names several addresses is nobody's: a complaint opts out only whom it names alone."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from adapters import interpret
from app.implied import with_implied
from schemas.events import Event, Handle
from tests.fixtures import FOLDER
from tests.unit.adapters.test_adapters import request_of

BOTH = "ana@example.com, ben@example.com"
#: A complaint of each provider, and where it names the recipient.
COMPLAINTS = [
    ("brevo", "spam", ("email",)),
    ("customerio", "email_spammed", ("data", "recipient")),
    ("mailgun", "complained", ("event-data", "recipient")),
    ("mailjet", "spam", ("email",)),
    ("postmark", "spam_complaint", ("Email",)),
]


def complained(provider: str, fixture: str, path: tuple[str, ...], recipient: str) -> list[Event]:
    """The events of a complaint by this recipient, and those that they imply."""
    request = request_of(provider, FOLDER / provider / f"{fixture}.http")
    body = json.loads(request.body)
    part: Any = body
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = recipient
    request.body = json.dumps(body).encode()
    return list(with_implied(interpret(request, provider).events))


@pytest.mark.parametrize(("provider", "fixture", "path"), COMPLAINTS)
def test_a_complaint_of_a_list_is_nobodys(provider: str, fixture: str, path: tuple[str, ...]) -> None:
    events = complained(provider, fixture, path, BOTH)
    assert [(event.type, event.handle) for event in events] == [("MessageComplained", None)]
    assert events[0].payload["to"] == BOTH


@pytest.mark.parametrize(("provider", "fixture", "path"), COMPLAINTS)
def test_a_complaint_of_one_is_an_opt_out(provider: str, fixture: str, path: tuple[str, ...]) -> None:
    ana = Handle("email", "ana@example.com")
    events = complained(provider, fixture, path, "Ana <ana@example.com>")
    assert [(event.type, event.handle) for event in events if event.type != "HandleLinked"] == [
        ("MessageComplained", ana),
        ("RecipientUnsubscribed", ana),
    ]


def test_a_form_of_mailgun() -> None:
    request = request_of("mailgun", FOLDER / "mailgun" / "form_unsubscribed.http")
    if "urlencoded" in request.headers["content-type"]:
        request.body = urlencode(dict(parse_qsl(request.body.decode())) | {"recipient": BOTH}).encode()
    else:
        request.body = request.body.replace(b"ana@example.com", BOTH.encode())
    (event,) = interpret(request, "mailgun").events
    assert (event.type, event.handle) == ("RecipientUnsubscribed", None)
