"""The envelope: what a trusted relay posts becomes events, and what is wrong in it is named."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import envelope
from adapters.contract import InvalidSignature, Request, Unprocessable
from schemas import REPORTABLE, RESERVED
from schemas.events import EVENT_TYPES, Error, Event, Handle

NOW = datetime(2025, 11, 21, 3, 42, tzinfo=UTC)
DELIVERED = {"source": "twilio", "eventType": "message.delivered", "data": {"messageId": "SM1"}}
SECRET = "whsec_" + base64.b64encode(b"a secret of at least 24 bytes").decode()


def request(body: Any, **headers: str) -> Request:
    """A post of the body, JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "https://threadline.example/webhooks/aggregate", headers, raw, NOW, "envelope")


def read(**parts: Any) -> Event:
    """The event of one envelope, the usual with the parts given in place of its own."""
    (event,) = envelope.normalize(request(DELIVERED | parts)).events
    return event


def signed(body: bytes, *, key: bytes = b"a secret of at least 24 bytes", at: datetime = NOW) -> Request:
    """A post that is signed as Standard Webhooks have it."""
    stamp = str(int(at.timestamp()))
    digest = hmac.digest(key, f"msg_1.{stamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return request(body, webhook_id="msg_1", webhook_timestamp=stamp, webhook_signature=signature)


def test_an_envelope_becomes_an_event_of_its_source() -> None:
    """The event is its source's, with the data whole and the id given as that of the fact."""
    data = {
        "messageId": "m1",
        "providerMessageId": "SM1",
        "timestamp": "2025-11-21T03:41:58Z",
        "MessagingServiceSid": "MG1",
    }
    assert read(id="evt-1", data=data) == Event(
        type="MessageDelivered",
        source="twilio",
        source_event_id="evt-1",
        direction="outbound",
        provider_message_id="SM1",
        message_id="m1",
        occurred_at=datetime(2025, 11, 21, 3, 41, 58, tzinfo=UTC),
        payload=data,
    )


def test_a_single_id_is_the_providers_and_may_be_ours() -> None:
    """If only `messageId` is given it is the provider's, so that the provider's own webhooks meet the envelope's; it is ours
    if we sent that message to this recipient."""
    event = read()
    assert (event.message_id, event.echoed_message_id, event.provider_message_id) == (None, "SM1", "SM1")
    event = read(data={"providerMessageId": "SM1"})
    assert (event.message_id, event.provider_message_id) == (None, "SM1")


def test_a_message_that_came_in_is_its_senders() -> None:
    """`message.received` keeps its content, and whose it is."""
    data = {"channel": "whatsapp", "from": "whatsapp:+15551234567", "messageId": "wamid.1", "content": {"text": "Olá"}}
    event = read(source="meta", eventType="message.received", data=data)
    assert (event.channel, event.direction, event.handle) == ("whatsapp", "inbound", Handle("phone", "+15551234567"))
    assert event.payload["content"] == {"text": "Olá"}


def test_a_failure_tells_why() -> None:
    """The error in the data is the event's."""
    event = read(eventType="message.failed", data={"messageId": "SM1", "error": {"code": 30003}})
    assert event.error == Error("30003", None, "unknown")


def test_an_address_that_cannot_be_read_is_no_handle() -> None:
    """A relay repeats what a provider reported, so a strange address costs the handle, not the event."""
    event = read(eventType="message.received", data={"channel": "email", "from": "undisclosed, recipients@"})
    assert event.handle is None
    assert event.payload["from"] == "undisclosed, recipients@"


def test_redelivery_has_the_same_id_and_another_fact_another() -> None:
    """Without an `id`, equal envelopes are the same fact whatever the order of their keys; others are not."""
    first = read(data={"messageId": "SM1", "price": {"amount": "1", "currency": "USD"}})
    again = read(data={"price": {"currency": "USD", "amount": "1"}, "messageId": "SM1"}, clientId="someone")
    assert first.source_event_id == again.source_event_id
    others = [read(), read(source="other"), read(eventType="message.read"), read(data={"messageId": "SM2"})]
    assert len({event.source_event_id for event in (first, *others)}) == 5


@pytest.mark.parametrize(
    ("parts", "at"),
    [
        ({"occurredAt": "2025-11-21T03:00:00Z"}, datetime(2025, 11, 21, 3, tzinfo=UTC)),
        ({"timestamp": "2025-11-21T04:00:00+01:00"}, datetime(2025, 11, 21, 3, tzinfo=UTC)),
        (
            {"occurredAt": "2025-11-21T03:00:00Z", "data": {"messageId": "m", "timestamp": "2025-11-21T02:00:00Z"}},
            datetime(2025, 11, 21, 2, tzinfo=UTC),
        ),
        ({"occurredAt": "1970-01-01T00:00:00Z"}, None),
        ({"occurredAt": "2100-01-01T00:00:00Z"}, None),
        ({}, None),
    ],
)
def test_when_it_happened(parts: dict[str, Any], at: datetime | None) -> None:
    """The data's timestamp says when, else the envelope's; a clock that is plainly wrong says nothing."""
    assert read(**parts).occurred_at == at


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_but_ours_alone_can_be_relayed(name: str) -> None:
    """A relay may say each type that a service may; what only Threadline makes is refused with its reason."""
    data = {"messageId": "m1", "channel": "sms", "from": "+15551234567", "native": {}}
    if name in REPORTABLE:
        assert read(eventType=EVENT_TYPES[name], data=data).type == name
    else:
        with pytest.raises(Unprocessable) as caught:
            read(eventType=EVENT_TYPES[name], data=data)
        assert RESERVED[name] in str(caught.value)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "empty list"),
        (b"7", r"\$: must be an envelope, an object, not a number"),
        (DELIVERED | {"source": None}, r"\$.source: is required"),
        (DELIVERED | {"source": ""}, r"\$.source: must have 1 to 512 characters"),
        (DELIVERED | {"source": 1}, r"\$.source: must be a string, not a number"),
        (DELIVERED | {"eventType": "message.deliverd"}, r"\$.eventType: .* did you mean 'message.delivered'"),
        (DELIVERED | {"eventType": "sms.delivered"}, r"\$.eventType: .* did you mean 'message.delivered'"),
        (DELIVERED | {"data": None}, r"\$.data: is required"),
        (DELIVERED | {"data": "x"}, r"\$.data: must be an object, not a string"),
        (DELIVERED | {"data": {}}, r"\$.data: needs one of: messageId, providerMessageId"),
        (DELIVERED | {"data": {"messageId": 1}}, r"\$.data.messageId: must be a string, not a number"),
        (DELIVERED | {"occurredAt": "soon"}, r"\$.occurredAt: must be a time"),
        (DELIVERED | {"id": "x" * 600}, "more than 512 characters"),
        (b'{"source":"a","eventType":"b","data":' + b"[" * 300 + b"]" * 300 + b"}", "more than 128 deep"),
    ],
)
def test_what_cannot_be_understood_is_reported(body: Any, words: str) -> None:
    """A bad envelope is unprocessable, and the reason names the path and what is wanted there."""
    with pytest.raises(Unprocessable, match=words):
        envelope.normalize(request(body))


def test_a_bad_envelope_in_a_list_holds_up_no_other() -> None:
    """In a list each is read by itself; the bad are returned with their place and their reason."""
    found = envelope.normalize(
        request([DELIVERED, {"source": "x"}, 5, DELIVERED | {"id": "x" * 600}, DELIVERED | {"id": 2}])
    )
    assert [event.source_event_id for event in found.events][1:] == ["2"]
    assert [reason.partition(":")[0] for _, reason in found.unprocessable] == ["$[1].eventType", "$[2]", "$[3]"]


@pytest.mark.parametrize(
    ("body", "claimed"),
    [
        (DELIVERED, True),
        ([DELIVERED], True),
        (DELIVERED | {"eventType": "no.such.type"}, True),
        ({"eventType": "message.delivered", "data": {}}, True),
        ({"eventType": "Microsoft.Communication.SMSReceived", "data": {}}, False),
        ({"source": "a", "data": {}}, False),
        ({"nested": DELIVERED}, False),
        ([], False),
        (b'{"eventType" "data"', False),
        (b"", False),
    ],
)
def test_it_claims_its_own_and_no_others(body: Any, claimed: bool) -> None:
    """An envelope is known by its keys; another provider's JSON is not claimed, and garbage raises nothing."""
    assert envelope.recognise(request(body)) is claimed


def test_a_form_is_no_envelope() -> None:
    """A request that says it is no JSON is not looked into."""
    assert not envelope.recognise(request(DELIVERED, content_type="application/x-www-form-urlencoded"))


def test_a_signature_holds_under_any_of_the_secrets() -> None:
    """While a secret is rotated, both the old and the new one verify, in base64 or as they are."""
    body = json.dumps(DELIVERED).encode()
    assert envelope.verify(signed(body), {"secret": [SECRET]}) is True
    assert envelope.verify(signed(body), {"secret": ["another", SECRET]}) is True
    assert envelope.verify(signed(body, key=b"plain"), {"secret": ["plain"]}) is True
    assert envelope.verify(signed(body), {}) is None


def test_a_changed_byte_another_key_or_no_signature_is_refused() -> None:
    """What the relay did not sign is not authentic."""
    body = json.dumps(DELIVERED).encode()
    changed = signed(body)
    changed.body = body.replace(b"SM1", b"SM2")
    for forged in (changed, signed(body, key=b"guess"), request(body)):
        with pytest.raises(InvalidSignature):
            envelope.verify(forged, {"secret": [SECRET]})


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_signature_is_refused_unless_age_is_left_out(minutes: int) -> None:
    """More than five minutes apart is a replay, except where a stored webhook is read again."""
    late = signed(json.dumps(DELIVERED).encode(), at=NOW - timedelta(minutes=minutes))
    with pytest.raises(InvalidSignature, match="seconds old"):
        envelope.verify(late, {"secret": [SECRET]})
    assert envelope.verify(late, {"secret": [SECRET]}, fresh=False) is True


def test_the_relay_hears_that_it_was_accepted() -> None:
    """The answer is 202: kept, and not read yet. There is no handshake."""
    assert envelope.ADAPTER.answer(request(DELIVERED)).status == 202
    assert envelope.ADAPTER.handshake(request(b""), {}) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["\0", "+15551234567"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["source", "eventType", "data", "id", "occurredAt", "timestamp", "clientId"])
DATA = st.dictionaries(
    st.sampled_from(["messageId", "from", "to", "userId", "handle", "timestamp", "error", "channel"]), JSON
)


@given(st.dictionaries(KEYS, JSON, max_size=3), DATA, st.sampled_from(list(EVENT_TYPES.values())))
def test_any_envelope_is_events_or_unprocessable(parts: dict[str, Any], data: dict[str, Any], type: str) -> None:
    """Whatever JSON a relay posts, the answer is events that can be written, or Unprocessable."""
    made = request(DELIVERED | {"eventType": type, "data": {"messageId": "m1"} | data} | parts)
    envelope.recognise(made)
    try:
        found = envelope.normalize(made)
    except Unprocessable:
        return
    assert [orjson.dumps(event) for event in found.events]


@given(st.binary(max_size=200))
def test_any_bytes_are_unprocessable(body: bytes) -> None:
    """Bytes that are no envelope are never another exception."""
    made = request(body)
    assert envelope.recognise(made) is False
    with pytest.raises(Unprocessable):
        envelope.normalize(made)


@pytest.mark.parametrize("source", ["threadline", "Threadline ", "a\x1fb"])
def test_an_envelope_does_not_speak_for_threadline(source: str) -> None:
    """A relay names its provider: what we say ourselves, and what joins the parts of an id, are no names."""
    with pytest.raises(Unprocessable, match=r"\$\.source: "):
        envelope.normalize(request(DELIVERED | {"source": source}))


def test_all_that_is_wrong_is_told() -> None:
    """Of an envelope alone, and of each in a list."""
    wrong = {
        "source": "threadline",
        "eventType": "message.delivered",
        "timestamp": "noon",
        "data": {"messageId": 5, "to": 6},
    }
    paths = ("$.source: ", "$.timestamp: ", "$.data.messageId: ", "$.data.to: ")
    with pytest.raises(Unprocessable) as caught:
        envelope.normalize(request(wrong))
    assert all(path in str(caught.value) for path in paths), caught.value
    ((_, reason),) = envelope.normalize(request([DELIVERED, wrong])).unprocessable
    assert all(path.replace("$", "$[1]") in reason for path in paths), reason
