"""The description of the Kafka topics is whole and sound: every topic is in it, and every example fits."""

from collections.abc import Iterator
from copy import deepcopy
from hashlib import sha256
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError

from agents.records.letters import sealed
from app.api.asyncapi.bundle import document
from app.kafka.topics import DAY, TOPICS
from schemas import REPORTABLE, SCHEMAS, SchemaError, validate
from schemas.cloudevents import read_cloudevent
from schemas.events import EVENT_TYPES
from schemas.recorded import CONTENT_TYPE
from schemas.times import instant
from sql import Bad, DeadLetter
from sql.hour_keys import HourKeys
from tests.support.asyncapi import Described, official
from tests.support.keys import SEAL
from webhooks.record import decode

DOCUMENT = document()
DESCRIBED = Described(DOCUMENT)
NOW = instant("2026-11-21T12:00:00Z")


def every(node: Any, at: str = "#") -> Iterator[tuple[str, Any]]:
    """Every node of the document with its place."""
    yield at, node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from every(value, f"{at}/{key}")


def examples() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every example with its message and the message's name among the components."""
    for name, message in DOCUMENT["components"]["messages"].items():
        for example in message["examples"]:
            yield name, message, example


def test_every_topic_is_described_and_nothing_else() -> None:
    """The channels are the topics, each with its retention and at least one operation."""
    assert [channel["address"] for channel in DOCUMENT["channels"].values()] == [topic.name for topic in TOPICS]
    used = {operation["channel"]["$ref"].removeprefix("#/channels/") for operation in DOCUMENT["operations"].values()}
    assert used == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        configured = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]["topicConfiguration"]
        assert configured["retention.ms"] == topic.retention_days * DAY


def test_the_document_is_an_asyncapi_document() -> None:
    """AsyncAPI's own JSON Schema accepts it, and refuses it with an unknown action or without its version."""
    official().validate(DOCUMENT)
    unknown = deepcopy(DOCUMENT)
    unknown["operations"]["receive.events.reported"]["action"] = "read"
    for wrong in (unknown, {name: part for name, part in DOCUMENT.items() if name != "asyncapi"}):
        with pytest.raises(ValidationError):
            official().validate(wrong)


def test_the_document_is_whole() -> None:
    """Every reference leads into the document, and every message and schema is used."""
    used = set()
    for place, node in every(DOCUMENT):
        if isinstance(node, dict) and "$ref" in node:
            assert node["$ref"].startswith("#/"), place
            assert DESCRIBED.resolve(node) is not None, place
            used.add(node["$ref"].split("/schema/")[0].removesuffix("/schema"))
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind]} <= used


def test_every_schema_is_a_schema() -> None:
    """Each is valid in its dialect, and those of `schemas/` have their stable ids."""
    for name, component in DOCUMENT["components"]["schemas"].items():
        if "schema" in component:
            Draft202012Validator.check_schema(component["schema"])
        else:
            Draft7Validator.check_schema(component)
        if name in SCHEMAS:
            assert component["schema"]["x-schema-id"] == SCHEMAS[name]["$id"]


def test_every_example_fits_its_message() -> None:
    """Headers and payload of each example are as its message says."""
    for name, message, example in examples():
        DESCRIBED.validator(message["payload"]).validate(example["payload"])
        if "headers" in message:
            DESCRIBED.validator(message["headers"]).validate(example.get("headers", {}))
        assert ("json" in message["contentType"]) == isinstance(example["payload"], dict), name
    (letter,) = DOCUMENT["components"]["messages"]["letter"]["examples"]
    value = letter["payload"].encode()
    assert letter["headers"] | {"size": str(len(value)), "digest": sha256(value).hexdigest()} == letter["headers"]


def test_every_event_type_is_a_message() -> None:
    """All may be read on `events.recorded`, and those that services may report are read on `events.reported`."""
    assert [message["title"] for message in DESCRIBED.messages("events.recorded")] == list(EVENT_TYPES)
    assert [message["title"] for message in DESCRIBED.messages("events.reported")] == list(REPORTABLE)


@pytest.mark.parametrize("type", REPORTABLE)
def test_the_code_reads_the_example_of_a_report(type: str) -> None:
    """The example of each type becomes an event of that type, by its dotted name and by its own."""
    (message,) = (message for message in DESCRIBED.messages("events.reported") if message["title"] == type)
    for name in (type, EVENT_TYPES[type]):
        event = message["examples"][0]["payload"] | {"type": name}
        DESCRIBED.validator(message["payload"]).validate(event)
        assert read_cloudevent(orjson.dumps(event), NOW).event.type == type


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_described_data_is_as_strict_as_the_schemas(type: str) -> None:
    """What the type's schema refuses is refused as the data of its message too, unless the payload is omitted."""
    (message,) = (message for message in DESCRIBED.messages("events.recorded") if message["title"] == type)
    event = message["examples"][0]["payload"]
    for wrong in ({"messageId": 7}, {"timestamp": 7}, {"channel": "pigeon"}, {"segments": -1}):
        with pytest.raises(SchemaError):
            validate(type, event["data"] | wrong)
        data = {"data": event["data"] | wrong}
        assert not DESCRIBED.validator(message["payload"]).is_valid(event | data)
    DESCRIBED.validator(message["payload"]).validate(event | {"data": {}, "payloadomitted": True})


def test_the_head_of_a_webhook_is_described_as_it_is_read() -> None:
    """Without one of its members, or with one of another type, a head neither fits nor is read."""
    (message,) = DESCRIBED.messages("webhooks.received")
    value = message["examples"][0]["payload"].encode()
    head = orjson.loads(value.partition(b"\n")[0])
    validator = DESCRIBED.validator(DOCUMENT["components"]["schemas"]["webhookHead"])
    validator.validate(head)
    assert decode(value).body.startswith(b"MessageSid=")
    for name in head:
        without = {key: part for key, part in head.items() if key != name}
        for wrong in (head | {name: 7}, *([without] if name != "authentic" else [])):
            assert not validator.is_valid(wrong), name
            with pytest.raises(ValueError, match=name):
                decode(orjson.dumps(wrong) + b"\n")


def test_the_headers_of_dead_letters_are_those_described() -> None:
    """Of a letter with everything and of a stub; a header of the description occurs in one of the two."""
    whole = DeadLetter(
        topic="events.reported", partition=0, offset=1, webhook_id=None, source="/bookings", reason="no type", detail=None,
        bad=1, items=[Bad(0, "no type", None)], value=b"{}", size=2, digest=sha256(b"{}").digest(),
    )  # fmt: skip
    stub = DeadLetter(
        topic="events.reported", partition=0, offset=2, webhook_id=None, source=None, reason="no value", detail=None,
        bad=1, items=[], value=None, size=0, digest=None,
    )  # fmt: skip
    seen: set[str] = set()
    for letter in (whole, stub):
        for hours in (HourKeys(SEAL, without=["dlq"]), HourKeys(SEAL)):
            value, headers = sealed(letter, "events.reported.dlq", hours)
            DESCRIBED.check("events.reported.dlq", value, headers)
            seen |= headers.keys()
    assert seen == DOCUMENT["components"]["schemas"]["letterHeaders"]["properties"].keys()


def test_the_header_of_recorded_events_is_the_one_that_the_relay_writes() -> None:
    """Its value in the description is the constant of the code."""
    headers = DOCUMENT["components"]["schemas"]["recordedHeaders"]
    assert headers["properties"]["content-type"] == {"const": CONTENT_TYPE}
