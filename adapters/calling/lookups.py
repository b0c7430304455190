"""What an API that lists what it took says of one message of ours."""

from collections.abc import Callable
from typing import Any

from adapters.contract import Found, Message, Response, Unprocessable, Unsendable
from adapters.reading.facts import identifier
from adapters.reading.shapes import object_of

Item = dict[str, Any]


def found(response: Response, items: Any, id_of: str, is_ours: Callable[[Item], bool]) -> Found:
    """Taken where an item `is_ours`, under its id in `id_of`; not taken where a 2xx lists nothing. A list of others' is
    no answer: an API that does not know a filter leaves it out, and ours may be on a later page."""
    if not 200 <= response.status < 300 or not isinstance(items, list):
        return Found(None)
    for item in map(object_of, items):
        if is_ours(item):
            return Found(True, _id(item.get(id_of)))
    return Found(None if items else False)


def echoed_alone(message: Message) -> str:
    """Our id, where the provider has one place for what it echoes, and was not given a `reference` in it: messages may
    share one. Raises Unsendable."""
    if message.echo != message.message_id:
        raise Unsendable("the provider was given a reference in place of our id, which other messages may have as well")
    return message.message_id


def _id(value: Any) -> str | None:
    try:
        return identifier(value)
    except Unprocessable:
        return None
