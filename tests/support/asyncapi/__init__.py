"""Holds Kafka records to what the AsyncAPI document says of their topic."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

#: The schema of AsyncAPI documents; README.md has its source and licence.
OFFICIAL = Path(__file__).parent / "3.0.0.json"


def official() -> Draft7Validator:
    """Return the validator of AsyncAPI 3.0.0 documents."""
    return Draft7Validator(json.loads(OFFICIAL.read_bytes()))


class Described:
    """The messages of an AsyncAPI document, by topic."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def resolve(self, node: Any) -> Any:
        """Return what a reference stands for."""
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def messages(self, topic: str) -> Iterator[dict[str, Any]]:
        """Yield the messages of a topic."""
        for reference in self.document["channels"][topic]["messages"].values():
            yield self.resolve(reference)

    def validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        """Return the validator of a schema of the document, in either of the two dialects that it uses."""
        plain = self.resolve(schema)
        return Draft202012Validator(
            {**plain.get("schema", plain), "components": self.document["components"]}, format_checker=FormatChecker()
        )

    def check(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """Raise jsonschema's ValidationError, or KeyError for an unknown message, unless the record is as described."""
        message = self._message(topic, value)
        if "headers" in message:
            self.validator(message["headers"]).validate({name: text.decode() for name, text in headers.items()})
        payload: Any = orjson.loads(value) if "json" in message["contentType"] else value.decode("latin-1")
        self.validator(message["payload"]).validate(payload)
        if head := self.resolve(message["payload"]).get("schema", {}).get("x-head"):
            self.validator(head).validate(orjson.loads(value.partition(b"\n")[0]))

    def _message(self, topic: str, value: bytes) -> dict[str, Any]:
        messages = {message["name"]: message for message in self.messages(topic)}
        if len(messages) == 1:
            return next(iter(messages.values()))
        known = {message["title"]: message for message in messages.values()}
        found: dict[str, Any] = (messages | known)[orjson.loads(value)["type"]]
        return found
