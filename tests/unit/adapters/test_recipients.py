"""The recipient of a send, a delivery and a bounce is one person in every spelling, and no address stands in an event's id."""

import json
import re
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from adapters import PROVIDERS, interpret
from adapters.contract import Request
from app.cli.support.http_file import read_request
from schemas.events import Event
from tests.fixtures import accounts, fixtures

MAIL = ("amazon_ses", "brevo", "customerio", "mailersend", "mailgun", "mailjet", "mailtrap", "mandrill", "postal",
        "postmark", "resend", "sendgrid", "sparkpost", "unisender_go")  # fmt: skip
SPELLINGS = [
    "ANA@Example.COM",
    "Ana López <ana@example.com>",
    '"López, Ana" <Ana@Example.com>',
    "=?utf-8?q?L=C3=B3pez?= <ana@example.com>",
    "<ana@example.com>",
]
_ANA = re.compile(rb'"ana@example\.com"', re.IGNORECASE)
_ESCAPED = re.compile(rb'\\"ana@example\.com\\"', re.IGNORECASE)
_QUOTED = re.compile(rb"(=|%22)ana%40example\.com(?=&|%22|$)", re.IGNORECASE)


def request_of(provider: str, file: Path, spelling: str | None = None) -> Request:
    """The fixture's request, with its recipient written in this way."""
    came = read_request(file.read_bytes())
    body = came.body
    if spelling is not None:
        value = json.dumps(spelling).encode()
        form = quote_plus(json.dumps(spelling)[1:-1]).encode()
        plain = quote_plus(spelling).encode()
        body = _ANA.sub(lambda _: value, body)
        body = _ESCAPED.sub(lambda _: json.dumps(value.decode())[1:-1].encode(), body)
        body = _QUOTED.sub(lambda found: found[1] + (plain if found[1] == b"=" else form), body)
    return Request(came.method, came.url(), came.headers, body, accounts(provider, file.stem).at, provider)


def about(events: list[Event]) -> list[tuple[object, ...]]:
    """What says whose an event is, of those about mail that was sent."""
    return [
        (event.type, event.handle, event.provider_message_id, event.source_event_id, event.payload.get("to"))
        for event in events
        if event.direction == "outbound" and event.type != "ProviderEventReceived"
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("provider", MAIL)
def test_a_recipient_is_the_same_in_every_spelling(provider: str, spelling: str) -> None:
    """SES's Send has the header's names, its Delivery the bare address; a sender's case is repeated by some and not by
    others. The handle, the ids and the payload's `to` are the same."""
    met = 0
    for file in fixtures(provider):
        bare, named = (request_of(provider, file, one) for one in ("ana@example.com", spelling))
        if bare.body != named.body:
            expected = about(interpret(bare, provider).events)
            assert about(interpret(named, provider).events) == expected, file.stem
            met += sum(to == "ana@example.com" for *_, to in expected)
    assert met or provider == "customerio"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_address_stands_in_the_id_of_an_event(provider: str) -> None:
    """Ids are stored in clear."""
    for file in fixtures(provider):
        for event in interpret(request_of(provider, file), provider).events:
            assert not re.search(r"[\w.]+@[\w-]+\.\w+", event.source_event_id), file.stem
            if event.handle is not None and event.handle.kind in ("email", "phone"):
                assert event.handle.value.lower() not in event.source_event_id.lower(), file.stem


@pytest.mark.parametrize("provider", MAIL)
def test_each_event_of_a_webhook_has_its_own_id_and_one_recipient(provider: str) -> None:
    """Several recipients are as many events."""
    for file in fixtures(provider):
        events = interpret(request_of(provider, file), provider).events
        assert len({event.source_event_id for event in events}) == len(events), file.stem
        assert all(", " not in event.payload.get("to", "") for event in events if event.direction == "outbound"), (
            file.stem
        )
