"""JSON values by the shape that they should have: what a provider sends in another shape is as if it were not there."""

from typing import Any

import orjson

from adapters.contract import Response


def object_of(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def answer_of(response: Response) -> dict[str, Any]:
    """The object that an API answered; an empty one where it answered none."""
    return object_of(json_answer_of(response))


def json_answer_of(response: Response) -> Any:
    """What an API answered; None where it is no JSON."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
