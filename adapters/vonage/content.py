"""Reads the content of a Messages API message, by its `message_type`, from Vonage's object to our `content`.

https://developer.vonage.com/en/api/messages#inbound-message
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import location, text

Item = dict[str, Any]
Content = dict[str, Any]


def part_of(item: Item, name: str) -> Item:
    """Return the object of this name, or an empty one."""
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def _text(part: Item, word: str) -> Content:
    return {"text": words} if (words := text(part.get("text"))) else {}


def _media(part: Item, word: str) -> Content:
    file = part_of(part, word)
    media = {key: value for key in ("url", "name") if (value := text(file.get(key)))}
    content: Content = {"media": [media]} if media else {}
    if caption := text(file.get("caption")):
        content["text"] = caption
    if word == "audio" and "url" in media:
        content["audioUrl"] = media["url"]
    return content


def _location(part: Item, word: str) -> Content:
    point = part_of(part, "location")
    north, east = (point.get(name, point.get(longer)) for name, longer in (("lat", "latitude"), ("long", "longitude")))
    place = location(north, east, text(point.get("name")) or point.get("address"))
    return {"location": place} if place else {}


def _chosen(part: Item, word: str) -> Content:
    """Return the chosen button: `reply` has id and title, `button` payload and text."""
    choice = part_of(part, word)
    names = (("id", ("id", "payload")), ("title", ("title", "text")))
    reply = {key: value for key, (one, other) in names if (value := text(choice.get(one)) or text(choice.get(other)))}
    content: Content = {"buttonReply": reply} if reply else {}
    if title := reply.get("title"):
        content["text"] = title
    return content


def _reaction(part: Item, word: str) -> Content:
    given = part_of(part, "reaction")
    reaction = {"emoji": "" if given.get("action") == "unreact" else text(given.get("emoji")) or ""}
    if about := text(part_of(part, "context").get("message_uuid")):
        reaction["providerMessageId"] = about
    return {"reaction": reaction}


def _order(part: Item, word: str) -> Content:
    return {"order": part_of(part, "order")}


def _unsupported(part: Item, word: str) -> Content:
    return {}


CONTENTS: dict[str, Callable[[Item, str], Content]] = {
    "text": _text,
    "image": _media,
    "audio": _media,
    "video": _media,
    "file": _media,
    "vcard": _media,
    "sticker": _media,
    "location": _location,
    "reply": _chosen,
    "button": _chosen,
    "reaction": _reaction,
    "order": _order,
    # Content that Vonage does not pass on: it is a message all the same.
    "unsupported": _unsupported,
}
