"""Reads the content of a Telegram message, by the part that it has, from Bot API objects to our `content`.

https://core.telegram.org/bots/api#message. Files have an id, by which `getFile` returns their location, and no URL.
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import count, location, text
from adapters.telegram.rich import words_of

Item = dict[str, Any]
Content = dict[str, Any]

#: Maximum files that are read of one message of paid media; Telegram's limit is 10.
_MOST = 100
#: What has a duration, in seconds.
_TIMED = ("audio", "video", "video_note", "voice", "animation")


def content_of(message: Item) -> Content | None:
    """Return the content; None for a service message or an unknown kind."""
    for kind, read in CONTENTS.items():
        if (part := message.get(kind)) is not None:
            content = read(part)
            if caption := text(message.get("caption")):
                content["text"] = caption
            if album := text(message.get("media_group_id")):
                content["mediaGroupId"] = album
            return content
    return None


def duration_of(message: Item) -> int | None:
    """Return the seconds that a message's sound or film lasts, or None."""
    parts = [part for kind in _TIMED if isinstance(part := message.get(kind), dict)]
    return count(parts[0].get("duration")) if parts else None


def button_of(message: Item, data: str) -> str | None:
    """Return the label of the message's inline button that has this callback data."""
    markup = message.get("reply_markup")
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    for row in rows if isinstance(rows, list) else ():
        for button in row if isinstance(row, list) else ():
            if isinstance(button, dict) and button.get("callback_data") == data:
                return text(button.get("text"))
    return None


def _text(part: Any) -> Content:
    return {"text": words} if (words := text(part)) else {}


def _file(type_: str | None = None) -> Callable[[Any], Content]:
    """Return a reader of a file with the file's own type, or with a fixed type."""

    def read(part: Any) -> Content:
        media = _media(part, type_)
        return {"media": [media]} if media else {}

    return read


def _media(part: Any, type_: str | None = None) -> dict[str, Any]:
    if not isinstance(part, dict):
        return {}
    fields = {
        "type": text(part.get("mime_type")) or type_,
        "id": text(part.get("file_id")),
        "name": text(part.get("file_name")),
    }
    media: dict[str, Any] = {key: value for key, value in fields.items() if value}
    size = part.get("file_size")
    return media | ({"size": size} if type(size) is int and size >= 0 and "id" in media else {})


def _largest(sizes: Any) -> Item | None:
    """Return the largest of the sizes in which a photo comes (https://core.telegram.org/bots/api#photosize)."""
    found = [size for size in sizes if isinstance(size, dict)] if isinstance(sizes, list) else []
    return max(found, key=_area, default=None)


def _area(size: Item) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if type(width) is int and type(height) is int else 0


def _photo(part: Any) -> Content:
    media = _media(_largest(part), "image/jpeg")
    return {"media": [media]} if "id" in media else {}


def _sticker(part: Any) -> Content:
    """Return a sticker's file: still ones are WebP, animated ones Lottie in gzip, video WebM
    (https://core.telegram.org/stickers)."""
    if not isinstance(part, dict):
        return {}
    moving = "application/x-tgsticker" if part.get("is_animated") is True else "image/webp"
    content = _file("video/webm" if part.get("is_video") is True else moving)(part)
    if emoji := text(part.get("emoji")):
        content["text"] = emoji
    return content


def _paid(part: Any) -> Content:
    items = part.get("paid_media") if isinstance(part, dict) else None
    found = []
    for item in items[:_MOST] if isinstance(items, list) else ():
        if isinstance(item, dict) and (photo := _largest(item.get("photo"))):
            found.append(_media(photo, "image/jpeg"))
        elif isinstance(item, dict) and (media := _media(item.get("video"), "video/mp4")):
            found.append(media)
    return {"media": found} if found else {}


def _venue(part: Any) -> Content:
    return _place(part.get("location"), part.get("title")) if isinstance(part, dict) else {}


def _place(part: Any, name: Any = None) -> Content:
    if not isinstance(part, dict):
        return {}
    return {"location": place} if (place := location(part.get("latitude"), part.get("longitude"), name)) else {}


def _named(name: str, words: str | None = None) -> Callable[[Any], Content]:
    """Return a reader of a part that has no field of its own in `content`: the part as it is, with a text if it has
    one."""

    def read(part: Any) -> Content:
        content: Content = {name: part}
        if words and isinstance(part, dict) and (label := text(part.get(words))):
            content["text"] = label
        return content

    return read


def _rich(part: Any) -> Content:
    """Return a rich message as it is, and its words as text: https://core.telegram.org/bots/api#richmessage."""
    words = words_of(part.get("blocks")) if isinstance(part, dict) else ""
    return {"richMessage": part} | ({"text": words} if words else {})


def _contact(part: Any) -> Content:
    return {"contacts": [part]}


def _web_app(part: Any) -> Content:
    """Return what a Web App sent that a button opened: https://core.telegram.org/bots/api#webappdata."""
    if not isinstance(part, dict):
        return {}
    title, data = text(part.get("button_text")), text(part.get("data"))
    return ({"buttonReply": {"title": title}} if title else {}) | ({"form": data} if data else {})


#: The order matters: an animation is also a document, and a venue a location, for clients that do not know the
#: former.
CONTENTS: dict[str, Callable[[Any], Content]] = {
    "text": _text,
    "rich_message": _rich,
    "animation": _file(),
    "audio": _file(),
    "document": _file(),
    "photo": _photo,
    "sticker": _sticker,
    "video": _file(),
    "video_note": _file("video/mp4"),
    "voice": _file(),
    "paid_media": _paid,
    "story": _named("story"),
    "checklist": _named("checklist", "title"),
    "contact": _contact,
    "dice": _named("dice", "emoji"),
    "game": _named("game", "title"),
    "poll": _named("poll", "question"),
    "venue": _venue,
    "location": _place,
    "web_app_data": _web_app,
}
