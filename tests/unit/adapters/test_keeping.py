"""Texts that only describe are cut to what the schemas allow, so that no opt-out is lost for a browser's name."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

import schemas
from adapters import interpret
from adapters.contract import Request
from adapters.keeping import _CUT, fit
from schemas import SchemaError, validate
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


@pytest.mark.parametrize(
    ("payload", "kept", "native"),
    [
        ({"content": {"location": {"name": "Office"}, "text": "Hi"}}, {"content": {"text": "Hi"}}, {"location": {"name": "Office"}}),
        (
            {"content": {"buttonReply": {"id": "b" * 1025}}, "native": {"id": 7}},
            {"content": {}},
            {"id": 7, "buttonReply": {"id": "b" * 1025}},
        ),
        ({"content": "words"}, {}, {"content": "words"}),
        ({"inReplyTo": ["a"], "native": {"inReplyTo": "b"}}, {}, {"inReplyTo": "b", "refused inReplyTo": ["a"]}),
        ({"content": {"media": [{"url": 5}], "reaction": {"emoji": 1}}}, {"content": {}}, {"media": [{"url": 5}], "reaction": {"emoji": 1}}),
    ],
    ids=["a place without coordinates", "a text that is too long", "no object", "beside what native has", "two at once"],
)  # fmt: skip
def test_a_detail_that_does_not_fit_is_set_aside(payload: Any, kept: Any, native: Any) -> None:
    """A message is not refused for one of its parts: the part is in `native`, and the rest as it was."""
    event = Event("MessageReceived", "x", "1", payload={"from": "+15551234567"} | payload)
    moved = fit(event, 5)
    assert moved == (2 if len(native) == 2 and "media" in native else 1)
    assert event.payload == {"from": "+15551234567"} | kept | {"native": native}


def test_what_cannot_be_set_aside_is_refused() -> None:
    """An unknown type, and a detail once as many were moved as may be; the reason names the place."""
    with pytest.raises(SchemaError, match=r"^\$: there is no event type"):
        fit(Event("MessageLost", "x", "1", payload={"from": "a"}), 5)
    with pytest.raises(SchemaError, match=r"^\$\.content\.reaction"):
        fit(Event("MessageReceived", "x", "1", payload={"from": "a", "content": {"reaction": {"emoji": 1}}}), 0)
