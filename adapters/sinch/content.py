"""Reads the content of a contact's message, by its kind, from Sinch's object to our `content`.

https://developers.sinch.com/docs/conversation/callbacks#contact-message
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import location, text

Item = dict[str, Any]
Content = dict[str, Any]


def _text(part: Item) -> Content:
    return {"text": words} if (words := text(part.get("text"))) else {}


def _media(part: Item) -> Content:
    """Return a medium; a picture with a caption is a `media_card_message`."""
    media = {
        key: value for key, name in (("url", "url"), ("name", "filename_override")) if (value := text(part.get(name)))
    }
    content: Content = {"media": [media]} if media else {}
    if caption := text(part.get("caption")):
        content["text"] = caption
    return content


def _location(part: Item) -> Content:
    point = part.get("coordinates")
    point = point if isinstance(point, dict) else {}
    name = text(part.get("title")) or text(part.get("label"))
    return {"location": place} if (place := location(point.get("latitude"), point.get("longitude"), name)) else {}


def _chosen(part: Item) -> Content:
    return {"buttonReply": {"id": words}} if (words := text(part.get("postback_data"))) else {}


def _fallback(part: Item) -> Content:
    """Return the channel's raw message, for which Sinch has no kind."""
    return {"raw": words} if (words := text(part.get("raw_message"))) else {}


def _order(part: Item) -> Content:
    return {"order": part}


def _specific(part: Item) -> Content:
    return {"interactive": part}


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "text_message": _text,
    "media_message": _media,
    "media_card_message": _media,
    "location_message": _location,
    "choice_response_message": _chosen,
    "fallback_message": _fallback,
    "product_response_message": _order,
    "channel_specific_message": _specific,
}
