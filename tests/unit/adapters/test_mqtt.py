"""MQTT: whose publication it is, what distinguishes one from the next, and what is published to a device."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import mqtt
from adapters.contract import InvalidSignature, Media, Message, Publish, Request, Response, Unprocessable, Unsendable
from adapters.mqtt.send import build_request, read_response
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate/mqtt"


def read(topic: str, body: bytes = b"on", **headers: str) -> Event:
    named = {f"x-mqtt-{name}": value for name, value in headers.items()}
    (event,) = mqtt.normalize(Request("POST", URL, {"x-mqtt-topic": topic, **named}, body, AT, "mqtt")).events
    return event


@pytest.mark.parametrize(
    ("topic", "body", "device"),
    [
        ("devices/truck-7/up", b"on", "truck-7"),
        ("acme/berlin/device/truck-7/telemetry/speed", b"on", "truck-7"),
        ("things/truck-7", b"on", "truck-7"),
        ("home/kitchen/lamp", b"on", "home/kitchen/lamp"),
        ("devices", b"on", "devices"),
        ("devices//up", b"on", "devices//up"),
        ("home/K%C3%BCche/100%25", b"on", "home/Küche/100%"),
        ("gateways/1/up", b'{"deviceId":"sensor-3"}', "sensor-3"),
        ("gateways/1/up", b' {"deviceId":3}', "3"),
        ("gateways/1/up", b'{"deviceId":["x"]}', "gateways/1/up"),
        ("gateways/1/up", b"{deviceId", "gateways/1/up"),
    ],
)
def test_the_device_is_what_the_payload_says_else_the_topic(topic: str, body: bytes, device: str) -> None:
    """The level after `devices` and the like; without one the whole topic is the device."""
    assert read(topic, body).handle == Handle("device_id", f"mqtt:{device}")


def test_a_nul_that_a_header_hides_is_none() -> None:
    """MQTT has none in a topic; in a property it is read as damaged."""
    assert read("devices/1", properties="unit=a%00b").payload["properties"] == {"unit": "a\ufffdb"}
    with pytest.raises(Unprocessable, match="NUL"):
        read("gateways/%00", b'{"deviceId":"sensor-3"}')


def test_the_topic_may_be_in_the_url() -> None:
    """For a bridge that cannot make headers; then the source's name is needed."""
    request = Request("POST", f"{URL}?topic=devices%2Ftruck-7%2Fup&key=x", {}, b"on", AT, "mqtt")
    assert mqtt.normalize(request).events[0].handle == Handle("device_id", "mqtt:truck-7")
    assert not mqtt.recognise(request) and mqtt.verify(request, {"url_secret": ("x",)}) is True
    with pytest.raises(InvalidSignature):
        mqtt.verify(request, {"url_secret": ("y",)})


@pytest.mark.parametrize("topic", ["", "devices/" + "x" * 3000 + "/up", "devices/a%00b/up"])
def test_a_topic_that_is_no_address_is_reported(topic: str) -> None:
    """None, too long, control characters."""
    with pytest.raises(Unprocessable):
        read(topic)


def test_the_same_words_twice_are_two_facts_and_the_same_publication_is_one() -> None:
    """By its message's id, else its time, else the id of its receipt; what is retained is the same however often shown."""
    ids = [
        read("a/b", id="1").source_event_id,
        read("a/b", id="2").source_event_id,
        read("a/b", id="2", retain="1").source_event_id,
        read("a/b", b'{"messageId":"1"}', id="3").source_event_id,
        read("a/c", b'{"messageId":"1"}', id="4").source_event_id,
        read("a/b", b'{"messageId":"1","timestamp":1772443770}', id="5").source_event_id,
        read("a/b", b'{"timestamp":1772443770}', id="6").source_event_id,
        read("a/b", b'{"timestamp":1772443771}', id="7").source_event_id,
    ]
    assert len(set(ids)) == len(ids)
    assert read("a/b", b'{"messageId":"1"}', id="8").source_event_id == ids[3]
    assert read("a/b", b'{"timestamp":1772443770}', id="9").source_event_id == ids[6]
    assert read("a/b", id="10", retain="true").source_event_id == ids[2]
    assert read("a/b", b'{"messageId":"1"}').provider_message_id == "a/b:1"


@pytest.mark.parametrize(
    ("time", "iso"),
    [
        (1772443770, "2026-03-02T09:29:30+00:00"),
        (1772443770.25, "2026-03-02T09:29:30.250000+00:00"),
        (1772443770123, "2026-03-02T09:29:30.123000+00:00"),
        ("1772443770123", "2026-03-02T09:29:30.123000+00:00"),
        ("2026-03-02T10:29:30+01:00", "2026-03-02T09:29:30+00:00"),
        (12, None),
        (True, None),
        (1e300, None),
        ("soon", None),
        ([1], None),
    ],
)
def test_times_are_read_in_the_forms_that_devices_write(time: Any, iso: str | None) -> None:
    """Seconds, milliseconds, ISO 8601; a device without a clock counts from its start, which is no time."""
    found = read("a/b", orjson.dumps({"timestamp": time})).occurred_at
    assert (found.isoformat() if found else None) == iso


def sent(topic: str = "", **more: Any) -> Publish:
    message = {"message_id": "m-1", "channel": "iot", "to": Handle("device_id", "mqtt:truck-7"), **more}
    return build_request(Message(**message), {"topic": (topic,)}, AT)


def test_a_message_is_published_as_text_or_as_json_with_its_id_beside() -> None:
    """Text alone is the payload; data make JSON. What a broker of MQTT 5 takes along: id, reference, expiry."""
    plain = sent(text="Grüße")
    assert (plain.topic, plain.payload, plain.qos, plain.retain) == ("devices/truck-7/down", "Grüße".encode(), 1, False)
    assert plain.properties == {"messageId": "m-1"}
    full = sent(text="Open", data={"valve": 3}, reference="r", expires_at=AT, topic="fleet/{device}/set")
    assert (full.topic, orjson.loads(full.payload)) == ("fleet/truck-7/set", {"valve": 3, "text": "Open"})
    assert full.properties == {"messageId": "m-1", "reference": "r", "expiresAt": "2026-03-02T09:30:00Z"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "x", "to": Handle("device_id", "the_things_stack:truck-7")},
        {"text": "x", "to": Handle("phone", "+15551234567")},
        {"text": "x", "to": Handle("device_id", "mqtt:+/#")},
        {"text": "x", "media": (Media("https://example.com/1"),)},
        {"html": "<p>Hi</p>"},
    ],
)
def test_what_cannot_be_published_is_reported(more: dict[str, Any]) -> None:
    """Nothing to say, another network's device, a topic with wildcards, what MQTT has no place for."""
    with pytest.raises(Unsendable):
        sent(**more)


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        (0x00, "accepted", None),
        (0x10, "accepted", None),
        (0x80, "retryable", "unknown"),
        (0x83, "retryable", "unknown"),
        (0x87, "account", "account"),
        (0x90, "rejected", "invalid_address"),
        (0x91, "retryable", "unknown"),
        (0x97, "retryable", "rate"),
        (0x99, "rejected", "content"),
        (0x9F, "rejected", "unknown"),
    ],
)
def test_each_reason_code_has_its_meaning(code: int, state: str, reason: str | None) -> None:
    """Of PUBACK, section 3.4.2.1; nobody subscribed is taken too, as the broker has it."""
    outcome = read_response(Response(code))
    assert (outcome.state, outcome.error.reason if outcome.error else None) == (state, reason)
    assert outcome.provider_message_id is None
