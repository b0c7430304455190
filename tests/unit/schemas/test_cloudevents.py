"""What services report as CloudEvents: what becomes of it, and how a fault is described."""

import base64
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import REPORTABLE, RESERVED, SchemaError
from schemas.cloudevents import read_cloudevent
from schemas.events import EVENT_TYPES, Error, Event, Handle
from schemas.recorded import write_recorded

NOW = datetime(2025, 11, 21, 3, 42, tzinfo=UTC)
AT = datetime(2025, 11, 21, 3, 41, 58, tzinfo=UTC)
UUID = "0b0c7bd6-6c7e-4f5e-9d1f-0e9c5f1f6a10"
#: Data that suits every type that a service may report.
SUITS_ALL = {
    "messageId": "m1",
    "userId": "42",
    "channel": "chat",
    "native": {"a": 1},
}


def document(type: str = "message.delivered", data: Any = None, **attributes: Any) -> dict[str, Any]:
    """A CloudEvent, with what is given in place of the usual; an attribute that is None is left out."""
    made: dict[str, Any] = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/chat",
        "type": type,
        "time": "2025-11-21T03:41:58Z",
    }
    made |= {"data": {"messageId": "m1"} if data is None else data, **attributes}
    return {name: value for name, value in made.items() if value is not None}


def read(type: str = "message.delivered", data: Any = None, **attributes: Any) -> Event:
    """The event that the document becomes."""
    return read_cloudevent(orjson.dumps(document(type, data, **attributes)), NOW).event


def test_a_sent_message_becomes_its_event() -> None:
    """A service's report of a send keeps its ids, its time, its user and all of its data."""
    data = {"userId": "42", "channel": "chat", "messageId": "m1", "content": {"text": "Hello"}, "mood": {"is": "good"}}
    reported = read_cloudevent(orjson.dumps(document("message.sent", data, clientid="shop")), NOW)
    assert reported.client_id == "shop"
    assert reported.event == Event(
        type="UserMessageSent",
        source="/chat",
        source_event_id="e1",
        channel="chat",
        direction="outbound",
        message_id="m1",
        handle=Handle("user_id", "42"),
        occurred_at=AT,
        payload=data,
    )


def test_a_report_without_a_client_is_the_default_clients() -> None:
    """`clientid` left out means the client `default`."""
    assert read_cloudevent(orjson.dumps(document()), NOW).client_id == "default"


def test_a_failure_keeps_the_providers_words_and_its_ids() -> None:
    """Error, provider and the provider's id of the message become the event's own."""
    data = {
        "providerMessageId": "SM1",
        "provider": "twilio",
        "error": {"code": 30003, "text": "Unreachable", "reason": "unreachable"},
        "to": "whatsapp:+15551234567",
        "channel": "whatsapp",
    }
    event = read("MessageFailed", data)
    assert (event.provider, event.provider_message_id, event.message_id) == ("twilio", "SM1", None)
    assert event.error == Error("30003", "Unreachable", "unreachable")
    assert event.handle == Handle("phone", "+15551234567")


@pytest.mark.parametrize(
    ("type", "data", "channel", "direction", "handle"),
    [
        (
            "message.received",
            {"from": "+15551234567", "channel": "sms"},
            "sms",
            "inbound",
            Handle("phone", "+15551234567"),
        ),
        ("message.received", {"userId": "42", "channel": "iot"}, "iot", "inbound", Handle("user_id", "42")),
        (
            "message.sent",
            {"messageId": "m", "to": "Ana@Example.com"},
            "email",
            "outbound",
            Handle("email", "ana@example.com"),
        ),
        (
            "message.sent",
            {"messageId": "m", "handle": {"kind": "device_token", "value": "T"}, "to": "+15551234567"},
            "push",
            "outbound",
            Handle("device_token", "T"),
        ),
        (
            "call.started",
            {"messageId": "c", "from": "+15551234567"},
            "voice",
            "inbound",
            Handle("phone", "+15551234567"),
        ),
        (
            "call.started",
            {"messageId": "c", "from": "+15550000000", "to": "+15551234567", "direction": "outbound"},
            "voice",
            "outbound",
            Handle("phone", "+15551234567"),
        ),
        ("call.completed", {"messageId": "c", "from": "+15551234567", "duration": 12}, "voice", None, None),
        (
            "message.read",
            {"messageId": "m", "direction": "inbound", "userId": "42"},
            None,
            "inbound",
            Handle("user_id", "42"),
        ),
        ("recipient.unsubscribed", {"from": "+15551234567"}, None, None, Handle("phone", "+15551234567")),
        ("interaction.processing", {"interactionId": UUID, "agent": "Bo"}, None, None, None),
        ("interaction.completed", {"messageId": "m1"}, None, None, None),
    ],
)
def test_whose_it_is_and_which_way_it_went(
    type: str, data: dict[str, Any], channel: str | None, direction: str | None, handle: Handle | None
) -> None:
    """The handle is a user id, else a typed address, else the one that the direction points to; the channel is the
    given one, else that of the type or the address."""
    event = read(type, data)
    assert (event.channel, event.direction, event.handle) == (channel, direction, handle)


@pytest.mark.parametrize("name", REPORTABLE)
def test_every_type_that_is_not_ours_alone_can_be_reported(name: str) -> None:
    """A service may name each type by its dotted name or as it is."""
    assert read(EVENT_TYPES[name], SUITS_ALL | {"interactionId": UUID}).type == name
    assert read(name, SUITS_ALL).type == name


@pytest.mark.parametrize("name", RESERVED)
def test_a_type_that_is_ours_alone_is_refused_with_its_reason(name: str) -> None:
    """What only Threadline makes is refused at `$.type`, and the error has the reason."""
    with pytest.raises(SchemaError) as caught:
        read(EVENT_TYPES[name], SUITS_ALL)
    assert caught.value.path == "$.type"
    assert RESERVED[name] in caught.value.message


def test_the_time_of_the_fact_is_the_events_else_the_datas() -> None:
    """`time` says when it happened; without it `data.timestamp` does; without both nothing does."""
    data = {"messageId": "m1", "timestamp": "2025-11-21T02:00:00Z"}
    assert read(data=data).occurred_at == AT
    assert read(data=data, time=None).occurred_at == datetime(2025, 11, 21, 2, tzinfo=UTC)
    assert read(time=None).occurred_at is None


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"])
def test_a_clock_that_is_plainly_wrong_tells_no_time(text: str) -> None:
    """A time before 2000, or more than a day ahead of the record's, is read as none; the event is kept."""
    assert read(time=text).occurred_at is None
    assert read(data={"messageId": "m1", "timestamp": text}, time=None).occurred_at is None


def test_data_may_come_in_base64() -> None:
    """`data_base64` of a JSON object is the data."""
    encoded = base64.b64encode(b'{"messageId":"m1"}').decode()
    made = {name: value for name, value in document(data_base64=encoded).items() if name != "data"}
    assert read_cloudevent(orjson.dumps(made), NOW).event.message_id == "m1"


def test_null_means_left_out() -> None:
    """Keys of `data`, its content and its error that are null are as if they were not there; others are kept."""
    data = {"messageId": "m1", "userId": None, "error": {"code": None}, "content": {"text": "a", "subject": None}}
    event = read(data=data | {"native": {"a": None}})
    assert event.payload == {"messageId": "m1", "error": {}, "content": {"text": "a"}, "native": {"a": None}}
    assert event.error == Error(None, None, "unknown")


FAULTS = [
    (b"", "$", "must be JSON"),
    (b"\xff\xfe\x00", "$", "UTF-8"),
    ('{"id":"ä"}'.encode("utf-16-le"), "$", "not in another encoding"),
    ('{"id":"ä"}'.encode("latin-1"), "$", "must be JSON"),
    (b'{"id":"\\ud800"}', "$", "must be JSON"),
    (b"[" * 100_000, "$", "must be JSON"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "$", "nested more than 128 deep"),
    (b'{"a":1e999}', "$", "must be JSON"),
    (b"[]", "$", "must be one CloudEvent, an object, not a list"),
    (b'"x"', "$", "not a string"),
    (b'{"data":{"content":{"text":["a\\u0000"]}}}', "$.data.content.text[0]", "the character NUL"),
    (b'{"data":{"a\\u0000":1}}', "$.data", "a key with the character NUL"),
]
SAID = [
    ({"specversion": None}, "$.specversion", 'must be "1.0"'),
    ({"specversion": "0.3"}, "$.specversion", 'must be "1.0"'),
    ({"id": None}, "$.id", "is required"),
    ({"id": 7}, "$.id", "must be a string, not a number"),
    ({"id": " "}, "$.id", "must not be empty"),
    ({"id": "x" * 600}, "$.id", "more than 512 characters"),
    ({"source": None}, "$.source", "is required"),
    ({"type": "com.example.message.delivered"}, "$.type", "say 'message.delivered', without a prefix"),
    ({"type": "message.deliverd"}, "$.type", "did you mean 'message.delivered'"),
    ({"type": "weather"}, "$.type", "there are: message.cancelled"),
    ({"time": "yesterday"}, "$.time", "RFC 3339"),
    ({"time": 1763696520}, "$.time", "must be a string"),
    ({"time": "0001-01-01T00:00:00+01:00"}, "$.time", "must be a time"),
    ({"clientid": 5}, "$.clientid", "must be a string, not a number"),
    ({"subject": []}, "$.subject", "must be a string, not a list"),
    ({"datacontenttype": "text/xml"}, "$.datacontenttype", "application/json"),
    ({"data": "text"}, "$.data", "must be an object, not a string"),
    ({"data": {"timestamp": "2025-11-21T02:00:00Z"}}, "$.data", "needs one of: messageId, providerMessageId"),
    ({"data": {"messageId": 5}}, "$.data.messageId", "must be a string, not a number"),
    (
        {"data": {"messageId": "m", "timestamp": "9999-12-31T23:59:59-01:00"}, "time": None},
        "$.data.timestamp",
        "a time",
    ),
    ({"data": {"messageId": "m", "userId": " "}}, "$.data.userId", "not empty"),
    ({"data": {"messageId": "m", "handle": {"kind": "phone", "value": "x"}}}, "$.data.handle.value", "E.164"),
    ({"data": {"messageId": "m", "to": "a@b, c@d"}}, "$.data.to", "no e-mail address"),
    ({"data": {}, "type": "interaction.completed"}, "$.data", "needs one of: interactionId, messageId"),
    ({"data": {"interactionId": "7"}, "type": "interaction.completed"}, "$.data.interactionId", "must look like"),
    ({"data_base64": "!"}, "$.data_base64", "must be base64"),
    ({"data_base64": base64.b64encode(b"[1]").decode()}, "$.data_base64", "must be an object, not a list"),
    ({"data_base64": base64.b64encode(b'{"messageId":1}').decode()}, "$.data_base64.messageId", "not a number"),
]


@pytest.mark.parametrize(("value", "path", "words"), FAULTS)
def test_bytes_that_are_no_cloudevent_are_refused(value: bytes, path: str, words: str) -> None:
    """Garbage of every kind is a SchemaError that says what it is."""
    with pytest.raises(SchemaError) as caught:
        read_cloudevent(value, NOW)
    assert caught.value.path == path
    assert words in caught.value.message


@pytest.mark.parametrize(("attributes", "path", "words"), SAID)
def test_a_fault_is_named_by_its_path_in_the_document(attributes: dict[str, Any], path: str, words: str) -> None:
    """A report that lacks something or says nonsense is refused with the JSONPath of the fault."""
    made = document(**attributes)
    if "data_base64" in attributes:
        del made["data"]
    with pytest.raises(SchemaError) as caught:
        read_cloudevent(orjson.dumps(made), NOW)
    assert caught.value.path == path
    assert words in caught.value.message


def test_data_is_required() -> None:
    """A CloudEvent without data says nothing that could be recorded."""
    made = document()
    del made["data"]
    with pytest.raises(SchemaError, match=r"^\$\.data: is required$"):
        read_cloudevent(orjson.dumps(made), NOW)


def row_of(event: Event, client: str) -> dict[str, Any]:
    """Return an event as the log has it, under the id that its source gave it."""
    handle = event.handle
    return {
        **{name: getattr(event, name) for name in event.__dataclass_fields__},
        "id": event.source_event_id,
        "client_id": client,
        "handle_kind": handle and handle.kind,
        "handle_value": handle and handle.value,
        "error": event.error and asdict(event.error),
        "recorded_at": NOW,
        "xid": 1,
        "position": 1,
        "customer_id": None,
        "interaction_id": None,
    }


@pytest.mark.parametrize("name", REPORTABLE)
def test_what_is_written_is_read_back(name: str) -> None:
    """An event written for others is a CloudEvent that reads back to the same fields."""
    event = Event(
        type=name,
        source="twilio",
        source_event_id="e1",
        channel="sms",
        direction="outbound",
        provider_message_id="SM1",
        message_id="m1",
        handle=Handle("phone", "+15551234567"),
        occurred_at=AT,
        error=Error("30003", None, "unreachable"),
        payload={"providerStatus": "undelivered", "to": "+15551234567", "native": {"a": [1]}},
        provider="twilio",
    )
    value = write_recorded(row_of(event, "shop"), 1 << 20)
    if name.startswith("Interaction"):
        assert orjson.loads(value)["data"]["messageId"] == "m1"
    reported = read_cloudevent(value, NOW)
    reported.event.payload = event.payload
    assert (reported.event, reported.client_id) == (event, "shop")


def test_an_event_without_a_time_is_written_without_one() -> None:
    """`time` is left out where nobody knows it, not null, which CloudEvents does not allow."""
    event = Event("MessageHeld", "threadline", "e1", payload={"messageId": "m1"})
    document = orjson.loads(write_recorded(row_of(event, "default"), 1 << 20))
    assert "time" not in document
    assert document["dataschema"] == "urn:threadline:schema:MessageHeld:1"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00+14:00", "\0", "+15551234567", "a@b", "phone:1", UUID]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = st.sampled_from(
    [
        "messageId",
        "userId",
        "to",
        "from",
        "handle",
        "channel",
        "direction",
        "timestamp",
        "content",
        "error",
        "interactionId",
    ]
)
ATTRIBUTES = st.sampled_from(["id", "source", "time", "subject", "clientid", "datacontenttype", "data", "data_base64"])


@given(
    st.sampled_from([*EVENT_TYPES, *EVENT_TYPES.values()]),
    st.dictionaries(KEYS, JSON, max_size=5),
    st.dictionaries(ATTRIBUTES, JSON, max_size=2),
)
def test_any_document_is_an_event_that_can_be_stored_or_a_schema_error(
    type: str, data: dict[str, Any], attributes: dict[str, Any]
) -> None:
    """Whatever JSON a service writes, the answer is an event without NUL that can be written again, or a SchemaError."""
    value = json.dumps(document(type, SUITS_ALL | data) | attributes).encode()
    try:
        reported = read_cloudevent(value, NOW)
    except SchemaError as error:
        assert error.path.startswith("$")
        return
    written = write_recorded(row_of(reported.event, reported.client_id), 1 << 20)
    assert b'"payloadomitted"' not in written
    assert b"\\u0000" not in written.replace(rb"\\", b"")
    assert reported.event.occurred_at is None or reported.event.occurred_at.tzinfo is UTC


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_are_a_schema_error(value: bytes) -> None:
    """Bytes that are no CloudEvent are never another exception."""
    with pytest.raises(SchemaError):
        read_cloudevent(value, NOW)


@pytest.mark.parametrize("source", ["threadline", " Threadline", "THREADLINE"])
def test_nobody_reports_as_threadline(source: str) -> None:
    """What we say ourselves is not for others to say: its ids would be taken."""
    with pytest.raises(SchemaError, match=r"^\$\.source: 'threadline' is what Threadline calls itself"):
        read(source=source, id="m1:sent:1")


@pytest.mark.parametrize("name", ["id", "source", "clientid", "subject"])
@pytest.mark.parametrize("character", ["\x00", "\x1e", "\x1f", "\x7f", "\x85"])
def test_attributes_hold_no_control_characters(name: str, character: str) -> None:
    """As the specification has it of a String; what joins the parts of an id cannot be within one."""
    with pytest.raises(SchemaError, match=rf"^\$\.{name}: "):
        read(**{name: f"a{character}b"})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"providerMessageId": "m", "from": "+15551234567"}, (None, Handle("phone", "+15551234567"))),
        (
            {"providerMessageId": "m", "to": "+15551234567", "direction": "outbound"},
            ("outbound", Handle("phone", "+15551234567")),
        ),
    ],
)
@pytest.mark.parametrize("type", ["message.edited", "message.deleted"])
def test_either_side_edits_and_deletes(type: str, data: dict[str, Any], expected: tuple[str | None, Handle]) -> None:
    """Nothing says whose message it is but the report, and its customer may stand under either key."""
    event = read(type, data | {"channel": "sms"})
    assert (event.direction, event.handle) == expected
    assert event.type == {"message.edited": "MessageEdited", "message.deleted": "MessageDeleted"}[type]


def test_all_errors_are_told() -> None:
    """Of the attributes and of the data; without a known type nothing can be said of the data."""
    wrong = {"id": "", "source": "threadline", "clientid": 5, "time": "noon", "data": {"content": {"text": 5}, "to": 3}}
    data = {"$.data.content.text", "$.data.to"}
    attributes = {"$.id", "$.source", "$.clientid", "$.time"}
    for type, found in (("message.received", attributes | data), ("message.recieved", attributes | {"$.type"})):
        with pytest.raises(SchemaError) as caught:
            read_cloudevent(orjson.dumps({"specversion": "1.0", "type": type} | wrong), NOW)
        assert {path for path, _ in caught.value.faults} == found
    with pytest.raises(SchemaError) as caught:
        read_cloudevent(b"{}", NOW)
    assert [path for path, _ in caught.value.faults] == ["$.specversion", "$.id", "$.source", "$.type", "$.data"]
