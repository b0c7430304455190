"""Writes the typed half of the client, `app/client/routes.py`, from the API's description: a type for each document, and a function
for each operation that makes its request.

`python -m app.api.openapi.typed > app/client/routes.py`, then `make format`.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from keyword import iskeyword
from typing import Any

from app.api.openapi.bundle import document

_HEAD = '''"""The routes of the API as typed requests, and the documents that they take and give.

Made by `python -m app.api.openapi.typed` from the API's description; a test keeps it true.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from app.client.calls import Call, part

'''
_NAMES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
#: The beginnings of the paths that the client covers.
_COVERED = ("/v1/", "/api/")
_JSON, _STREAM = "application/json", "text/event-stream"
_KEY = "Idempotency-Key"


class Typed:
    """Writes the module of one description."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = described
        self._used: list[str] = []

    def module(self) -> str:
        """Return the module's text."""
        functions = [self._function(*each) for each in self._operations()]
        types: list[str] = []
        for name in self._used:  # grows while types are written
            types.append(self._type(name))
        # A class that extends another comes after it.
        return _HEAD + "\n\n".join(sorted(types, key=lambda text: "(TypedDict" not in text)) + "\n" + "".join(functions)

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
        for path, item in self._described["paths"].items():
            if path.startswith(_COVERED):
                for method, operation in item.items():
                    if method != "parameters":
                        given = (*item.get("parameters", ()), *operation.get("parameters", ()))
                        yield path, method, operation, [self._resolved(one) for one in given]

    def _function(self, path: str, method: str, operation: dict[str, Any], parameters: list[dict[str, Any]]) -> str:
        positional = [f"{one['name']}: {self._python(one['schema'])}" for one in parameters if one["in"] == "path"]
        query = [one for one in parameters if one["in"] == "query"]
        named = [self._keyword(one) for one in sorted(query, key=lambda one: not one.get("required"))]
        filled = re.sub("{(.*?)}", r"{part(\1)}", path)
        arguments = [f'"{method.upper()}"', "f" * ("{" in path) + f'"{filled}"']
        if query:
            pairs = ", ".join('"{0}": {0}'.format(one["name"]) for one in query)
            arguments.append(f"query={{{pairs}}}")
        if "requestBody" in operation:
            body = self._resolved(operation["requestBody"])["content"][_JSON]["schema"]
            positional.append(f"body: {self._python(body)}")
            arguments.append("body=body")
        if any(one["name"] == _KEY for one in parameters):
            named.append("idempotency_key: str | None = None")
            arguments.append("idempotency_key=idempotency_key, keyed=True")
        answer = self._answer(operation)
        if answer == "bytes":
            arguments.append("raw=True")
        taken = ", ".join([*positional, *(["*", *named] if named else [])])
        name = re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", operation["operationId"])
        words = operation["summary"].replace('"', "'")
        return (
            f"\n\ndef {name}({taken}) -> Call[{answer}]:\n"
            f'    """{words}: {method.upper()} {path}."""\n    return Call({", ".join(arguments)})\n'
        )

    def _keyword(self, parameter: dict[str, Any]) -> str:
        of = self._python(parameter["schema"])
        return f"{parameter['name']}: {of}" + ("" if parameter.get("required") else " | None = None")

    def _answer(self, operation: dict[str, Any]) -> str:
        found: dict[str, None] = {}
        for status, response in operation["responses"].items():
            content = self._resolved(response).get("content", {})
            if status.startswith("2"):
                other = "str" if _STREAM in content else "bytes" if content else "None"
                found[self._python(content[_JSON]["schema"]) if _JSON in content else other] = None
        return " | ".join(found)

    def _type(self, name: str) -> str:
        schema = self._described["components"]["schemas"][name]
        if "allOf" in schema:
            base = self._python(schema["allOf"][0])
            return self._class(name, base, schema["allOf"][1])
        if "properties" in schema and not any(map(iskeyword, schema["properties"])):
            return self._class(name, "TypedDict", schema)
        return f'{name}: TypeAlias = "{self._python(schema)}"'

    def _class(self, name: str, base: str, schema: dict[str, Any]) -> str:
        required, lines = schema.get("required", ()), []
        for key, part in schema["properties"].items():
            of = self._python(part)
            lines.append(f"    {key}: {of}" if key in required else f"    {key}: NotRequired[{of}]")
        words = schema.get("description", f"The document {name}.").splitlines()[0]
        return f'class {name}({base}):\n    """{words}"""\n\n' + "\n".join(lines) + "\n"

    def _python(self, schema: dict[str, Any]) -> str:
        """Return the type of a schema. An object without a name of its own is a dict."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in self._used:
                self._used.append(name)
            return str(name)
        for union in ("anyOf", "oneOf"):
            if union in schema and "properties" not in schema:
                return _union(self._python(one) for one in schema[union])
        if "enum" in schema or "const" in schema:
            values = schema.get("enum", [schema.get("const")])
            return f"Literal[{', '.join(map(repr, values))}]"
        kinds = schema.get("type", [])
        found = [self._plain(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]
        return _union(found) or "Any"

    def _plain(self, kind: str, schema: dict[str, Any]) -> str:
        if kind == "array":
            return f"list[{self._python(schema.get('items', {}))}]"
        return _NAMES.get(kind, "dict[str, Any]")

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self._described
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            node = found
        return node


def _union(types: Iterable[str]) -> str:
    """Return the union of types, each once, `None` last."""
    return " | ".join(sorted(dict.fromkeys(types), key="None".__eq__))


if __name__ == "__main__":
    sys.stdout.write(Typed(document()).module())
