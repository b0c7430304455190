"""What may be a report is no message that came in: of either direction, it is kept as an unknown event."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from adapters import interpret
from adapters.contract import Request
from schemas.events import Event

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
US, ANA = "+15550001111", "+15551234567"
UNKNOWN, RECEIVED = "ProviderEventReceived", "MessageReceived"


def came(provider: str, body: bytes, kind: str) -> Event:
    url = f"https://hooks.example.com/webhooks/aggregate/{provider}"
    (event,) = interpret(Request("POST", url, {"content-type": kind}, body, AT, provider), provider).events
    return event


def form(provider: str, **fields: str) -> Event:
    return came(provider, urlencode(fields).encode(), "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("fields", "type"),
    [
        ({}, UNKNOWN),
        ({"reference": "order-1", "createdDatetime": "2026-11-28T10:00:00+00:00"}, UNKNOWN),
        ({"body": "Hello"}, RECEIVED),
        ({"body": ""}, RECEIVED),
        ({"subject": "Hello"}, RECEIVED),
    ],
)
def test_messagebird(fields: dict[str, str], type: str) -> None:
    """https://developers.messagebird.com/api/sms-messaging/#receive-a-message: it has a body."""
    event = form("messagebird", id="m1", originator=US[1:], recipient=ANA[1:], **fields)
    assert (event.type, event.provider_message_id) == (type, "m1")
    assert event.direction == ("inbound" if type == RECEIVED else None)
    assert type == RECEIVED or event.handle is None


@pytest.mark.parametrize(
    ("fields", "type"),
    [
        ({"Body": ""}, UNKNOWN),
        ({"Body": "", "NumMedia": "0"}, RECEIVED),
        ({"Body": "", "SmsStatus": "received"}, RECEIVED),
        ({"Body": "Hello"}, RECEIVED),
    ],
)
def test_twilio(fields: dict[str, str], type: str) -> None:
    """https://www.twilio.com/docs/messaging/guides/webhook-request: NumMedia is with each message."""
    event = form("twilio", MessageSid="SM1", From=US, To=ANA, **fields)
    assert (event.type, event.provider_message_id) == (type, "SM1")
    assert type == RECEIVED or event.handle is None


@pytest.mark.parametrize(
    ("fields", "type"),
    [({"direction": "outbound"}, UNKNOWN), ({"direction": "inbound"}, RECEIVED), ({}, RECEIVED)],
)
def test_telnyx(fields: dict[str, Any], type: str) -> None:
    """https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks"""
    payload = {"id": "t1", "type": "SMS", "from": {"phone_number": US}, "to": [{"phone_number": ANA}], "text": "x"}
    data = {"event_type": "message.received", "id": "e1", "payload": payload | fields}
    event = came("telnyx", orjson.dumps({"data": data}), "application/json")
    assert event.type == type
    assert type == RECEIVED or event.handle is None


@pytest.mark.parametrize("word", ["Delivered", "FAILED", "Read", "NOT-SENT"])
def test_kaleyra(word: str) -> None:
    """https://developers.kaleyra.io/docs/sms-callback: with a keyword and a circle it came in, and was not delivered."""
    both = {"keyword": "JOIN", "circle": "KA", "source": ANA, "recipient": US, "message": "JOIN"}
    event = form("kaleyra", id="k1", status=word, **both)
    assert (event.type, event.handle, event.direction) == (UNKNOWN, None, None)
