"""Reads look-ups from APIs that list the messages which they accepted."""

from collections.abc import Callable
from typing import Any

from adapters.contract import Found, Message, Response, Unprocessable, Unsendable
from adapters.reading.facts import identifier
from adapters.reading.shapes import object_of

Item = dict[str, Any]


def found(response: Response, items: Any, id_of: str, is_ours: Callable[[Item], bool]) -> Found:
    """Return that the message was accepted if an item `is_ours`, with the item's field `id_of` as its id; that it was not
    if a 2xx lists nothing. A list of others' messages decides nothing: an API may ignore a filter that it does not know,
    and ours may be on a later page."""
    if not 200 <= response.status < 300 or not isinstance(items, list):
        return Found(None)
    for item in map(object_of, items):
        if is_ours(item):
            return Found(True, _id(item.get(id_of)))
    return Found(None if items else False)


def echoed_alone(message: Message) -> str:
    """Return our message id, if the provider was given it to echo. Raise Unsendable if it was given a `reference` instead,
    which several messages may share."""
    if message.echo != message.message_id:
        raise Unsendable("the provider was given a reference in place of our id, which other messages may have as well")
    return message.message_id


def _id(value: Any) -> str | None:
    try:
        return identifier(value)
    except Unprocessable:
        return None
