"""Validates documents that are not events (configurations, requests) against the schema beside this file with their
name."""

from functools import cache
from typing import Any

import jsonschema_rs

from schemas import SCHEMAS, SchemaError, compiled, worded


def check(name: str, document: Any) -> None:
    """Validate a document against `<name>.json`. Raises SchemaError with the path and the message."""
    try:
        if _validator(name).is_valid(document):
            return
    except ValueError as error:  # a key that is not a string, or a value that JSON does not have
        raise SchemaError("$", "cannot be written as JSON") from error
    raise worded([SCHEMAS[name]["$id"]], document)


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return compiled(SCHEMAS[name])
