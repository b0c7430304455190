"""Reads JSON values of an expected type: a value of another type counts as absent."""

from typing import Any

import orjson

from adapters.contract import Response


def object_of(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def answer_of(response: Response) -> dict[str, Any]:
    """Return the JSON object in an API's response, or an empty one."""
    return object_of(json_answer_of(response))


def json_answer_of(response: Response) -> Any:
    """Return the JSON in an API's response; None if it is invalid."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
