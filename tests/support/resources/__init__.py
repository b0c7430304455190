"""Holds resources of Kubernetes, and custom ones, to the schemas of their kinds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

#: `kinds`: the definition of each GROUP/VERSION/KIND; `definitions`. README.md has their sources.
SCHEMAS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "schemas.json").read_bytes())
#: What custom definitions say of these is no more than that they are texts and an object.
HEAD = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
META = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}


def closed(schema: Any) -> Any:
    """Return a schema in which an object has no members but those that it names: an API server drops others without a word."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    named = isinstance(found.get("properties"), dict) and found.get("type") == "object"
    if named and not found.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in found:
        found["additionalProperties"] = False
    if found.get("x-kubernetes-int-or-string") is True or found.get("format") == "int-or-string":
        found["type"] = ["integer", "string"]
    return found


DEFINITIONS: dict[str, Any] = closed(SCHEMAS["definitions"])


def faults(resource: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a resource, by path. Raises KeyError for a kind without a schema."""
    definition = DEFINITIONS[SCHEMAS["kinds"][f"{resource['apiVersion']}/{resource['kind']}"]]
    properties = definition["properties"] | HEAD | {"metadata": META}
    schema = {**definition, "properties": properties, "definitions": DEFINITIONS}
    for error in Draft202012Validator(schema).iter_errors(resource):
        yield f"{error.json_path}: {error.message}"
