"""Builds the API's description, one OpenAPI 3.1 document, from the YAML files beside this module.

`openapi.yaml` lists the paths; each resource's file holds its operations and the components that it alone uses, and
`components.yaml` what several share. References to `schemas/*.json` are replaced by what the files say.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import yaml

from app.api.message import STATES as MESSAGE_STATES
from app.api.parameters import DELIVERIES, LIMIT, LIMIT_MAX, STATUSES
from app.http.permits import ROUTES
from app.http.scopes import SCOPES
from app.sending.explain import KINDS
from schemas import SCHEMAS, resolve
from schemas.events import CHANNELS, DIRECTIONS, EVENT_TYPES, HANDLE_KINDS, REASONS
from sql.audited import ACTIONS

#: Enumerations that the code defines, by the name of their schema.
_ENUMERATIONS: dict[str, tuple[str, ...]] = {
    "Channel": CHANNELS,
    "Direction": DIRECTIONS,
    "Status": STATUSES,
    "Delivery": DELIVERIES,
    "Reason": REASONS,
    "HandleKind": HANDLE_KINDS,
    "MessageState": MESSAGE_STATES,
    "ReasonKind": KINDS,
    "EventType": tuple(EVENT_TYPES),
    "DottedEventType": tuple(EVENT_TYPES.values()),
    "AuditAction": tuple(ACTIONS),
}

#: The beginnings of the paths where a credential for several clients names one.
_OF_CLIENTS = ("/v1/", "/api/")

#: Keywords of a schema file that have no meaning inside another document.
_FILE_KEYS = frozenset({"$schema", "$id", "$defs", "$ref", "version"})

#: The C parser takes 40 ms for all files, the one in Python 500 ms.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def document() -> dict[str, Any]:
    """Return the description, an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html) without references to
    other documents. Raises ValueError if two files define a component of the same name."""
    files = {file.name: _read(file) for file in sorted(Path(__file__).parent.glob("*.yaml"))}
    built: dict[str, Any] = files.pop("openapi.yaml")
    built["info"]["version"] = version("threadline")
    built["info"]["description"] = built["info"]["description"].replace("{scopes}", _scopes())
    built["paths"] = {path: _operations(files, item["$ref"]) for path, item in built["paths"].items()}
    built["components"] = {}
    for name, file in files.items():
        for kind, components in file.get("components", {}).items():
            merged = built["components"].setdefault(kind, {})
            if twice := merged.keys() & components.keys():
                raise ValueError(f"{name} defines {kind} that another file defines: {sorted(twice)}")
            merged |= components
    for name, values in _ENUMERATIONS.items():
        built["components"]["schemas"][name]["enum"] = list(values)
    _secure(built["paths"])
    for item in built["paths"].values():
        for operation in item.values():
            if "security" in operation:  # every API key has a rate limit
                operation["responses"].setdefault("429", {"$ref": "#/components/responses/TooMany"})
    timeline = built["paths"]["/api/customers/{id}/interactions"]["get"]
    limit = next(one for one in timeline["parameters"] if one.get("name") == "limit")
    limit["schema"] |= {"maximum": LIMIT_MAX, "default": LIMIT}
    bundled: dict[str, Any] = _bundled(built)
    return bundled


def _secure(paths: dict[str, Any]) -> None:
    """Give each operation whose file does not describe its security what the table of routes says."""
    for name, need in ROUTES.items():
        method, _, path = name.partition(" ")
        operation = paths.get(path.replace(":path}", "}"), {}).get(method.lower(), {})
        if operation and need.scope is not None:
            scopes = [need.scope, *([need.also] if need.also else [])]
            operation.setdefault("security", [{"key": scopes}, {"token": scopes}, {"session": scopes}])
            if path.startswith(_OF_CLIENTS):
                operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/ThreadlineClient"})


def _scopes() -> str:
    """Return the table of the scopes of API keys, in Markdown."""
    rows = (f"| `{scope}` | {words} |" for scope, words in SCOPES.items())
    return "\n".join(("| scope | what it allows |", "| --- | --- |", *rows))


def _read(file: Path) -> Any:
    return yaml.load(file.read_bytes(), _LOADER)  # noqa: S506  # both are safe loaders


def _operations(files: dict[str, Any], reference: str) -> dict[str, Any]:
    """Return the path item of `messages.yaml#/paths/~1v1~1messages` (RFC 6901)."""
    name, _, pointer = reference.partition("#/paths/")
    item: dict[str, Any] = files[name]["paths"][pointer.replace("~1", "/").replace("~0", "~")]
    return item


def _bundled(node: Any) -> Any:
    """Return a copy whose references all point into the document itself."""
    if isinstance(node, list):
        return [_bundled(item) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return {key: _bundled(value) for key, value in node.items()}
    file, _, pointer = reference.partition("#")
    if file.endswith(".json"):
        schema = SCHEMAS[Path(file).stem]
        return _inlined(schema, schema["$id"])
    return {**{key: _bundled(value) for key, value in node.items()}, "$ref": f"#{pointer}"}


def _inlined(node: Any, base: str) -> Any:
    """Return a schema file's schema with each reference replaced by its target, since the files are not served."""
    if isinstance(node, list):
        return [_inlined(item, base) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _inlined(value, base) for key, value in node.items() if key not in _FILE_KEYS}
    if "$ref" not in node:
        return kept
    target, _, pointer = node["$ref"].partition("#")
    return _inlined(resolve(f"{target or base}#{pointer}"), target or base) | kept


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(document(), option=orjson.OPT_INDENT_2))
