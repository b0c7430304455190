"""Builds the description of the Kafka topics, one AsyncAPI 3.0 document, from `asyncapi.yaml` beside this module, the topics of
`app.kafka.topics` and the event types of `schemas/`.

`python -m app.api.asyncapi.bundle` prints it.
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import yaml

from app.kafka.topics import DAY, TOPICS, Topic
from app.kafka.unread import GROUP
from schemas import REPORTABLE, SCHEMAS
from schemas.events import CHANNELS, EVENT_TYPES

#: The schemas are JSON Schema 2020-12, which AsyncAPI's own dialect (draft 07) is not.
DIALECT = "application/schema+json;version=2020-12"
#: Files of `schemas/` that no record is described by.
_NOT_ON_KAFKA = frozenset({"account", "client"})
#: The names that the topics' patterns in `asyncapi.yaml` have in braces.
_DEAD, _OF_CHANNEL = "{topic}.dlq", "messages.requested.{channel}"
_BINDING = "0.5.0"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OURS = re.compile("urn:threadline:schema:([A-Za-z]+):[0-9]+")

#: The attributes that an example has beside `type` and `data`.
_REPORTED = {"specversion": "1.0", "id": "7d0c5f2e", "source": "/bookings"}
_RECORDED = {
    "specversion": "1.0",
    "id": "0199d6b3-52a1-7d26-8c0f-1b3d5f7a9c2e",
    "source": "threadline",
    "time": "2026-11-21T12:00:04Z",
    "datacontenttype": "application/json",
    "clientid": "default",
    "customerid": "0199d6b2-6f0a-7c3e-9d41-5b7f3c2a1e90",
    "sourceeventid": "order-1001",
    "recordedtime": "2026-11-21T12:00:04.120000Z",
    "sequence": f"{1042:019d}-{7:019d}",
}


def document() -> dict[str, Any]:
    """Return the description (https://www.asyncapi.com/docs/reference/specification/v3.0.0), without references to other
    documents. Raises KeyError for a topic that `asyncapi.yaml` does not describe."""
    built: dict[str, Any] = yaml.load((Path(__file__).parent / "asyncapi.yaml").read_bytes(), _LOADER)  # noqa: S506
    described = built.pop("topics")
    built["info"]["version"] = version("threadline")
    built["channels"], built["operations"] = {}, {}
    for topic in TOPICS:
        pattern, words = _pattern(topic)
        text = _filled(described[pattern], words)
        built["channels"][topic.name] = _channel(topic, text)
        for action, summary in text["operations"].items():
            built["operations"][f"{action}.{topic.name}"] = _operation(topic, text, action, summary)
    messages, schemas = built["components"]["messages"], built["components"]["schemas"]
    for type in EVENT_TYPES:
        messages[f"recorded.{EVENT_TYPES[type]}"] = _recorded(type)
    for type in REPORTABLE:
        messages[f"reported.{EVENT_TYPES[type]}"] = _reported(type)
    schemas |= {name: _embedded(schema) for name, schema in SCHEMAS.items() if name not in _NOT_ON_KAFKA}
    for name, schema in schemas.items():
        if not name.endswith(
            "Headers"
        ):  # those are in AsyncAPI's own dialect, the only one that linters read headers in
            schemas[name] = {"schemaFormat": DIALECT, "schema": schema}
    return built


def _pattern(topic: Topic) -> tuple[str, dict[str, str]]:
    """Return the name under which `asyncapi.yaml` describes a topic, and the words for its braces."""
    if topic.dead_letters:
        return _DEAD, {"{topic}": topic.name.removesuffix(".dlq")}
    channel = topic.name.rpartition(".")[2]
    if topic.name == _OF_CHANNEL.format(channel=channel) and channel in CHANNELS:
        return _OF_CHANNEL, {"{channel}": channel}
    return topic.name, {}


def _filled(node: Any, words: dict[str, str]) -> Any:
    """Return a copy with the words in place of their names in braces."""
    if isinstance(node, dict):
        return {key: _filled(value, words) for key, value in node.items()}
    if isinstance(node, str):
        for name, word in words.items():
            node = node.replace(name, word)
    return node


def _channel(topic: Topic, text: dict[str, Any]) -> dict[str, Any]:
    messages = text["messages"]
    return {
        "address": topic.name,
        "title": text["title"],
        "description": text["description"],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _named(messages)},
        "servers": [{"$ref": "#/servers/cluster"}],
        "tags": [{"name": text["tag"]}],
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": topic.retention_days * DAY},
                "bindingVersion": _BINDING,
            }
        },
    }


def _named(messages: str | list[str]) -> Iterable[str]:
    if isinstance(messages, list):
        return messages
    return (f"{messages}.{EVENT_TYPES[type]}" for type in (REPORTABLE if messages == "reported" else EVENT_TYPES))


def _operation(topic: Topic, text: dict[str, Any], action: str, summary: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "title": text["title"],
        "summary": text["title"],
        "description": summary,
        "tags": [{"name": text["tag"]}],
    }
    if action == "receive":
        group = {"type": "string", "const": GROUP}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": _BINDING}}
    return operation


def _reported(type: str) -> dict[str, Any]:
    """Return the message of a service's event of a type that services may report."""
    dotted, example = EVENT_TYPES[type], SCHEMAS[type]["examples"][0]
    data = {"allOf": [_at(type), _at(type, "/$defs/reported")]}
    key = {"type": "string", "description": "Any key, or none. Events with the same key stay in order."}
    return _event(type, "cloudEvent", {"enum": [dotted, type]}, {"properties": {"data": data}}, key) | {
        "examples": [{"name": "event", "summary": type, "payload": _REPORTED | {"type": dotted, "data": example}}]
    }


def _recorded(type: str) -> dict[str, Any]:
    """Return the message of an event of the log. Without its payload, or what was erased, it need not have what its type requires."""
    dotted, example = EVENT_TYPES[type], SCHEMAS[type]["examples"][0]
    data = {
        "if": {"anyOf": [{"required": ["payloadomitted"]}, {"required": ["erased"]}]},
        "else": {"properties": {"data": _at(type)}},
    }
    key = {"type": "string", "description": "The customer's id, else that of the interaction or of the event."}
    payload = _RECORDED | {"type": dotted, "dataschema": SCHEMAS[type]["$id"], "data": example}
    headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
    return _event(type, "recordedEvent", {"const": dotted}, data, key) | {
        "headers": {"$ref": "#/components/schemas/recordedHeaders"},
        "examples": [{"name": "event", "summary": type, "headers": headers, "payload": payload}],
    }


def _event(type: str, frame: str, named: dict[str, Any], data: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose payload is the CloudEvent of the schema `frame`, with this schema of `type` and `data`."""
    payload = {"allOf": [_at(frame), {"properties": {"type": named}}, data]}
    return {
        "name": EVENT_TYPES[type],
        "title": type,
        "description": SCHEMAS[type]["description"],
        "contentType": "application/cloudevents+json",
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING}},
        "payload": {"schemaFormat": DIALECT, "schema": payload},
    }


def _at(name: str, pointer: str = "") -> dict[str, str]:
    """Return a reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}/schema{pointer}"}


def _embedded(node: Any) -> Any:
    """Return a schema file's schema with references into this document in place of the stable ids. Raises ValueError for a
    reference to what is not in `schemas/`."""
    if isinstance(node, list):
        return [_embedded(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _embedded(value) for key, value in node.items() if key not in ("$schema", "$id", "$ref", "examples")}
    if "$id" in node:
        kept["x-schema-id"] = node["$id"]
    if "$ref" in node:
        reference, _, pointer = node["$ref"].partition("#")
        if (found := _OURS.fullmatch(reference)) is None:
            raise ValueError(f"a schema refers to what is not in schemas/: {node['$ref']}")
        # Many tools drop what stands beside a `$ref`, as draft 07 has it.
        target = _at(found[1], pointer)
        kept = {**kept, "allOf": [*kept.get("allOf", ()), target]} if kept else dict(target)
    return kept


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2))
