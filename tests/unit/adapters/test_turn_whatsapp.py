"""What is particular to Turn.io: its signature's encoding, and what it sends out, known by a header or the body."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import interpret, turn_whatsapp
from adapters.contract import InvalidSignature, Request, Unprocessable
from schemas.events import Event

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENT = {"to": "15551234567", "text": {"body": "Hello"}}


def request_of(body: Any, **headers: str) -> Request:
    reported = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "https://hooks.example.com/", reported, json.dumps(body).encode(), NOW, "turn_whatsapp")


def event_of(body: Any, **headers: str) -> Event:
    (event,) = interpret(request_of(body, **headers), "turn_whatsapp").events
    return event


def test_the_signature_is_base64_and_not_hexadecimal() -> None:
    """Of the same digest."""
    digest = hmac.new(b"s", json.dumps(SENT).encode(), hashlib.sha256)
    signed = request_of(SENT, x_turn_hook_signature=base64.b64encode(digest.digest()).decode())
    assert turn_whatsapp.verify(signed, {"webhook_secret": ("s",)}) is True
    with pytest.raises(InvalidSignature):
        turn_whatsapp.verify(request_of(SENT, x_turn_hook_signature=digest.hexdigest()), {"webhook_secret": ("s",)})


def test_what_is_sent_out_is_known_by_its_body_before_the_header() -> None:
    """The signature covers the body alone; the header counts where there is nothing else."""
    event = event_of(SENT, x_whatsapp_id="wamid.1", x_turn_hook_subscription="turn")
    assert (event.type, event.provider_message_id, event.payload["content"]) == (
        "MessageQueued",
        "wamid.1",
        {"text": "Hello"},
    )
    assert event_of(SENT | {"id": "wamid.2"}, x_whatsapp_id="wamid.1").provider_message_id == "wamid.2"


def test_what_is_sent_out_without_an_id_is_kept_whole() -> None:
    """It is a fact of its own, by what it says."""
    event = event_of(SENT)
    assert event.provider_message_id is None and event.payload["native"] == SENT
    assert event.source_event_id != event_of(SENT | {"to": "15551234568"}).source_event_id


def test_a_body_that_is_no_object_is_refused() -> None:
    """With its reason."""
    with pytest.raises(Unprocessable):
        interpret(request_of([1]), "turn_whatsapp")
