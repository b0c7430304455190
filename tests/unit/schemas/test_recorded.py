"""The log's events as CloudEvents: read back they are the same, and a reader can recognise one that it has seen."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import read_cloudevent
from schemas.events import EVENT_TYPES, Error, Handle
from schemas.recorded import key_of, write_recorded

AT = datetime(2026, 2, 3, 12, 0, 0, 123456, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": UUID(int=1),
    "xid": 812,
    "position": 99,
    "type": "MessageFailed",
    "client_id": "shop",
    "channel": "sms",
    "direction": "outbound",
    "source": "twilio",
    "source_event_id": "SM1:failed",
    "provider": "twilio",
    "provider_message_id": "SM1",
    "message_id": "m1",
    "handle_kind": "phone",
    "handle_value": "+15551234567",
    "error": {"code": "30003", "text": "off", "reason": "unreachable"},
    "occurred_at": AT,
    "received_at": AT,
    "recorded_at": AT,
    "payload": {"segments": 2},
    "interaction_id": UUID(int=2),
    "customer_id": UUID(int=3),
}
UNKNOWN = (
    "channel", "direction", "provider", "provider_message_id", "message_id", "handle_kind", "handle_value", "error",
    "occurred_at", "interaction_id", "customer_id",
)  # fmt: skip
BARE = ROW | dict.fromkeys(UNKNOWN)


def test_an_event_reads_back() -> None:
    """Type, client, ids, address, error, time and payload; under the event's own id."""
    read = read_cloudevent(write_recorded(ROW, 1 << 20), AT)
    assert read.client_id == "shop"
    event = read.event
    assert (event.type, event.source, event.source_event_id) == ("MessageFailed", "twilio", str(UUID(int=1)))
    assert (event.provider_message_id, event.message_id, event.channel) == ("SM1", "m1", "sms")
    assert (event.handle, event.occurred_at) == (Handle("phone", "+15551234567"), AT)
    assert event.error == Error("30003", "off", "unreachable")
    assert event.payload["segments"] == 2


def test_attributes_are_those_of_the_specification() -> None:
    """Lower-case names, strings, no nulls; the sequence sorts as the log does."""
    document = orjson.loads(write_recorded(ROW, 1 << 20))
    attributes = {name: value for name, value in document.items() if name != "data"}
    assert all(name.isalnum() and name.islower() and isinstance(value, str) for name, value in attributes.items())
    assert (document["customerid"], document["interactionid"]) == (str(UUID(int=3)), str(UUID(int=2)))
    assert (document["sourceeventid"], document["recordedtime"]) == ("SM1:failed", "2026-02-03T12:00:00.123456Z")
    later = orjson.loads(write_recorded(ROW | {"xid": 1000, "position": 5}, 1 << 20))
    assert document["sequence"] < later["sequence"]
    bare = orjson.loads(write_recorded(BARE, 1 << 20))
    assert not {"customerid", "interactionid", "time"} & bare.keys()
    assert bare["data"] == {"segments": 2}


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_every_type_is_written(type: str) -> None:
    """Also those that services may not report."""
    assert orjson.loads(write_recorded(BARE | {"type": type}, 1 << 20))["type"] == EVENT_TYPES[type]


def test_what_is_too_large_is_published_without_its_payload() -> None:
    """With all that says which event it is."""
    document = orjson.loads(write_recorded(ROW | {"payload": {"note": "x" * 5000}}, 4000))
    assert document["payloadomitted"] is True
    assert (document["id"], document["data"]["messageId"]) == (str(UUID(int=1)), "m1")
    assert "note" not in document["data"]


@pytest.mark.parametrize("name", ["source_event_id", "provider_message_id", "message_id", "handle_value", "source", "provider", "error", "client_id", "payload"])  # fmt: skip
@pytest.mark.parametrize("text", ["\x01" * 900_000, "\U0001f600" * 500_000], ids=["escaped", "wide"])
def test_whatever_is_large_what_is_published_fits(name: str, text: str) -> None:
    """No text of an event, however long or however it is escaped, makes a record that does not fit; the record names
    the event, its client and its customer."""
    value: Any = {"code": text, "text": text, "reason": "unknown"} if name == "error" else text
    for most in (4096, 1 << 20):
        written = write_recorded(ROW | {name: {"note": text} if name == "payload" else value}, most)
        document = orjson.loads(written)
        assert len(written) <= most
        assert (document["id"], document["customerid"]) == (str(UUID(int=1)), str(UUID(int=3)))
        assert document["clientid"].startswith("shop" if name != "client_id" else text[0])
        # A reported source may hold no control character: older ones in the log are relayed all the same.
        readable = {"data": {"messageId": "m"}, "clientid": "c"} | ({"source": "s"} if name == "source" else {})
        read_cloudevent(orjson.dumps(document | readable), AT)


@pytest.mark.parametrize("more", [{"payload": {"a": 2**80}}, {"payload": {"a": "\ud800"}}, {"payload": None}, {"error": {"text": "x"}}, {"error": ["x"]}, {"type": "FromAnotherRelease"}, {"message_id": "\ud800"}, {"payload": {1: {2, 3}}}])  # fmt: skip
def test_whatever_the_log_holds_something_is_published(more: dict[str, Any]) -> None:
    """A row that cannot be written as it is does not stop the relay: its event is relayed by what names it."""
    document = orjson.loads(write_recorded(ROW | more, 1 << 20))
    assert (document["id"], document["clientid"]) == (str(UUID(int=1)), "shop")
    assert document["payloadomitted"] is True


@given(
    st.dictionaries(
        st.sampled_from(sorted(set(ROW) - {"id", "xid", "position"})),
        st.none()
        | st.text()
        | st.binary()
        | st.integers()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.text()),
    )
)
def test_no_row_raises(more: dict[str, Any]) -> None:
    """Whatever is in its columns."""
    assert orjson.loads(write_recorded(ROW | more, 1 << 20))["id"] == str(UUID(int=1))


def test_the_key_is_the_customer_or_what_is_next_to_it() -> None:
    """The interaction where nobody's handle is known, the event where there is no interaction."""
    assert key_of(ROW) == str(UUID(int=3)).encode()
    assert key_of(ROW | {"customer_id": None}) == str(UUID(int=2)).encode()
    assert key_of(BARE) == str(UUID(int=1)).encode()
