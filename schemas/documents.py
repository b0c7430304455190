"""Documents that are no events: configurations and requests. Each has a schema beside this file, by its name."""

from functools import cache
from typing import Any

import jsonschema_rs

from schemas import SCHEMAS, SchemaError, compiled, worded


def check(name: str, document: Any) -> None:
    """Hold a document to the schema `<name>.json`. Raises SchemaError with the path of its fault, and the words."""
    try:
        if _validator(name).is_valid(document):
            return
    except ValueError as error:  # a key that is no string, a value that JSON has no word for
        raise SchemaError("$", "cannot be written as JSON") from error
    raise worded([SCHEMAS[name]["$id"]], document)


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return compiled(SCHEMAS[name])
