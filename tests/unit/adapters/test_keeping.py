"""Texts that only describe are cut to what the schemas allow, so that no opt-out is lost for a browser's name."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

import schemas
from adapters import interpret
from adapters.contract import Request
from adapters.keeping import _CUT
from schemas import validate
from schemas.events import Event

DEFINITIONS = orjson.loads((Path(schemas.__file__).parent / "definitions.json").read_bytes())
LONG = "Mozilla/5.0 " + "x" * 9000


@pytest.mark.parametrize("name", sorted(_CUT))
def test_the_limits_are_those_of_the_schemas(name: str) -> None:
    """A property of which a schema allows less would be refused still."""
    assert DEFINITIONS["$defs"][name]["maxLength"] == _CUT[name]


def test_an_opt_out_with_a_long_name_of_a_browser_is_an_opt_out() -> None:
    """As SendGrid posts it: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event."""
    body = [
        {
            "event": "unsubscribe",
            "email": "ana@example.com",
            "timestamp": 1772443800,
            "sg_event_id": "e1",
            "sg_message_id": "m1",
            "useragent": LONG,
            "ip": "2001:db8:1111:2222:3333:4444:5555:6666, 2001:db8:1111:2222:3333:4444:5555:7777",
        }
    ]
    request = Request(
        "POST",
        "https://hooks.example.com/webhooks/aggregate/sendgrid",
        {"content-type": "application/json"},
        orjson.dumps(body),
        datetime(2026, 3, 2, 9, 30, tzinfo=UTC),
        "sendgrid",
    )
    found = interpret(request, "sendgrid")
    assert found.unprocessable == []
    (event,) = found.events
    assert isinstance(event, Event) and event.type == "RecipientUnsubscribed"
    assert event.payload["userAgent"] == LONG[:4096]
    assert "ip" not in event.payload  # a part of it would be another address
    validate(event.type, event.payload)
