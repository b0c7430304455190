"""Converts the content of a LINE message or postback into our `content`.

https://developers.line.biz/en/reference/messaging-api/#message-event
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import count, location, text

Item = dict[str, Any]
Content = dict[str, Any]


def content_of(part: Item, payload: dict[str, Any]) -> Content | None:
    """Return the content, or None for an unknown type. Adds `inReplyTo` and `duration` to the payload."""
    if quoted := text(part.get("quotedMessageId")):
        payload["inReplyTo"] = quoted
    if (length := part.get("duration")) is not None and (thousandths := count(length)) is not None:
        payload["duration"] = thousandths / 1000
    kind = part.get("type")
    read = CONTENTS.get(kind) if isinstance(kind, str) else None
    return read(part) if read is not None else None


def _text(part: Item) -> Content:
    return {"text": words} if (words := text(part.get("text"))) else {}


def _file(part: Item) -> Content:
    """Return a file, with the message's id, by which LINE serves the file (…/messaging-api/#get-content)."""
    provider = part.get("contentProvider")
    url = text(provider.get("originalContentUrl")) if isinstance(provider, dict) else None
    file = {"url": url, "id": text(part.get("id")), "name": text(part.get("fileName"))}
    media: Content = {key: value for key, value in file.items() if value}
    if (size := count(part.get("fileSize"))) is not None:
        media["size"] = size
    content: Content = {"media": [media]}
    if url and part.get("type") == "audio":
        content["audioUrl"] = url
    return content


def _location(part: Item) -> Content:
    name = text(part.get("title")) or text(part.get("address"))
    return {"location": place} if (place := location(part.get("latitude"), part.get("longitude"), name)) else {}


def _sticker(part: Item) -> Content:
    names = ("packageId", "stickerId", "stickerResourceType", "keywords")
    return _text(part) | {"sticker": {name: part[name] for name in names if name in part}}


def postback_of(part: Item) -> Content:
    """Return a postback's content; `params` holds the picked date or the new rich menu.

    …/messaging-api/#postback-event
    """
    content: Content = {"buttonReply": {"id": data} if (data := text(part.get("data"))) else {}}
    if isinstance(params := part.get("params"), dict):
        content["params"] = params
    return content


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "text": _text,
    "image": _file,
    "video": _file,
    "audio": _file,
    "file": _file,
    "location": _location,
    "sticker": _sticker,
}
