"""Reads JSON from outside, and refuses what PostgreSQL cannot store or what cannot be written again."""

from typing import Any

import orjson

from schemas import SchemaError

#: Most levels of nesting: far more than any sender uses, and fewer than PostgreSQL and our readers can take.
MAX_DEPTH = 128

#: JSON's types, in words.
NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def read_json(value: bytes) -> Any:
    """Parse a JSON document. Raises SchemaError if it is not JSON in UTF-8, is nested too deeply, or has the character
    NUL anywhere, which neither text nor jsonb of PostgreSQL can hold."""
    if len(value) > 1 and value.count(b"\0", 0, 4):
        raise SchemaError("$", "must be JSON in UTF-8, not in another encoding")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise SchemaError("$", f"must be JSON (RFC 8259): {error}") from error
    if value.count(b"{") + value.count(b"[") > MAX_DEPTH or b"\\u0000" in value:
        check(document)
    return document


def check(document: Any, *, nul: bool = True) -> None:
    """Raise SchemaError if the document is nested too deeply or, with `nul`, has the character NUL.

    Uses a stack of its own in place of recursion, which a deep document would exhaust."""
    left: list[tuple[Any, str, int]] = [(document, "$", 1)]
    while left:
        value, path, depth = left.pop()
        if isinstance(value, str):
            if nul and "\0" in value:
                raise SchemaError(path, "must not have the character NUL")
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise SchemaError("$", f"is nested more than {MAX_DEPTH} deep")
            if isinstance(value, list):
                left += [(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
                continue
            for key, item in value.items():
                if nul and "\0" in key:
                    raise SchemaError(path, "has a key with the character NUL")
                left.append((item, f"{path}.{key[:64]}", depth + 1))


def kind_of(value: Any) -> str:
    """Return the JSON type of a value, in words (`a list`)."""
    if value is None or isinstance(value, bool):
        return NAMES["null"] if value is None else NAMES["boolean"]
    for types, name in ((str, "string"), (int | float, "number"), (dict, "object"), (list, "array")):
        if isinstance(value, types):
            return NAMES[name]
    return f"a {type(value).__name__}"
