"""What is particular to EMQX: one message to several subscribers, and its times."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import interpret
from adapters.contract import Request, Unprocessable
from schemas.events import Event

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def event_of(**fields: Any) -> Event:
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(fields), NOW, "emqx")
    (event,) = interpret(request, "emqx").events
    return event


def test_each_subscriber_of_a_message_has_its_own() -> None:
    """Each subscriber's copy is a message of its own, and so is the published message."""
    published = event_of(event="message.publish", id="1", clientid="a", timestamp=1772443770000)
    first, second = (event_of(event="message.acked", id="1", clientid=who, timestamp=1772443770000) for who in "bc")
    assert {published.provider_message_id, first.provider_message_id, second.provider_message_id} == {"1", "1:b", "1:c"}
    assert len({published.source_event_id, first.source_event_id, second.source_event_id}) == 3


def test_a_message_has_the_time_that_the_broker_got_it() -> None:
    """The broker's time, in milliseconds, is that of the message; an event has a time of its own."""
    times = {"publish_received_at": 1772443770123, "timestamp": 1772443770456}
    assert event_of(event="message.publish", id="1", clientid="a", **times).occurred_at == datetime(
        2026, 3, 2, 9, 29, 30, 123000, UTC
    )
    assert event_of(event="message.acked", id="1", clientid="a", **times).occurred_at == datetime(
        2026, 3, 2, 9, 29, 30, 456000, UTC
    )


@pytest.mark.parametrize("fields", [{"payload": "x"}, {"event": "message.publish", "clientid": "a"}])
def test_a_rule_that_leaves_fields_out_is_reported(fields: dict[str, Any]) -> None:
    """A webhook of a rule that leaves out required fields is refused with that reason, and not kept as another
    event."""
    with pytest.raises(Unprocessable):
        event_of(**fields)
