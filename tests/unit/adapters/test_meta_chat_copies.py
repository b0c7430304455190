"""One press of a button may be reported to two apps, in different words: both copies are of one interaction."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import interpret
from adapters.contract import Request
from schemas.events import Event

PRESS: dict[str, Any] = {"sender": {"id": "5278543218765432"}, "recipient": {"id": "1906385232743451"}}


def event_of(provider: str, field: str, at: int, postback: dict[str, str]) -> Event:
    object_ = "page" if provider == "facebook_messenger" else "instagram"
    entry = {"id": "1906385232743451", field: [PRESS | {"timestamp": at, "postback": postback}]}
    body = json.dumps({"object": object_, "entry": [entry]}).encode()
    request = Request("POST", "https://hooks.example.com/", {}, body, datetime(2026, 3, 2, tzinfo=UTC), provider)
    (event,) = interpret(request, provider).events
    return event


@pytest.mark.parametrize("provider", ["facebook_messenger", "instagram"])
def test_copies_of_a_press_are_one_interaction(provider: str) -> None:
    """The sender and the time are the press, with and without the payload and the message's id; the copy of a chat that
    another app handles says so. Another press, a second later, is another."""
    at = 1772443770123
    own = event_of(provider, "messaging", at, {"title": "Details", "payload": "DETAILS_7", "mid": "m_1"})
    older = event_of(provider, "messaging", at, {"title": "Details", "payload": "DETAILS_7"})
    copy = event_of(provider, "standby", at, {"title": "Details"})
    other = event_of(provider, "messaging", at + 1000, {"title": "Details", "payload": "DETAILS_7"})

    assert own.provider_message_id and own.provider_message_id == older.provider_message_id == copy.provider_message_id
    assert other.provider_message_id != own.provider_message_id
    assert [event.payload.get("handledBy") for event in (own, older, copy)] == [None, None, "another_app"]
    assert "5278543218765432" not in own.provider_message_id
