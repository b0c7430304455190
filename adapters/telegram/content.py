"""The content of a Telegram message, by the part that it has: Bot API objects in, our `content` out.

https://core.telegram.org/bots/api#message. Files have an id, by which `getFile` returns their location, and no URL.
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import location, text

Item = dict[str, Any]
Content = dict[str, Any]

#: Media that one album of paid media may have; Telegram's limit is 10.
_MOST = 100


def content_of(message: Item) -> Content | None:
    """Return the content; None of a service message, and of a kind that is not known."""
    for kind, read in CONTENTS.items():
        if (part := message.get(kind)) is not None:
            content = read(part)
            if caption := text(message.get("caption")):
                content["text"] = caption
            if album := text(message.get("media_group_id")):
                content["mediaGroupId"] = album
            return content
    return None


def button_of(message: Item, data: str) -> str | None:
    """What the message's inline button with that callback data shows."""
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
    """Return a file whose type is given, or always the same."""

    def read(part: Any) -> Content:
        media = _media(part, type_)
        return {"media": [media]} if media else {}

    return read


def _media(part: Any, type_: str | None = None) -> dict[str, str]:
    if not isinstance(part, dict):
        return {}
    said = {
        "type": text(part.get("mime_type")) or type_,
        "id": text(part.get("file_id")),
        "name": text(part.get("file_name")),
    }
    return {key: value for key, value in said.items() if value}


def _largest(sizes: Any) -> Item | None:
    """One photo comes in several sizes (https://core.telegram.org/bots/api#photosize)."""
    found = [size for size in sizes if isinstance(size, dict)] if isinstance(sizes, list) else []
    return max(found, key=_area, default=None)


def _area(size: Item) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if type(width) is int and type(height) is int else 0


def _photo(part: Any) -> Content:
    media = _media(_largest(part), "image/jpeg")
    return {"media": [media]} if "id" in media else {}


def _sticker(part: Any) -> Content:
    """https://core.telegram.org/stickers: still ones are WebP, moving ones Lottie in gzip, video WebM."""
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
    """Of what has no place of its own in `content`: as it comes, with its words as the text."""

    def read(part: Any) -> Content:
        content: Content = {name: part}
        if words and isinstance(part, dict) and (said := text(part.get(words))):
            content["text"] = said
        return content

    return read


def _contact(part: Any) -> Content:
    return {"contacts": [part]}


def _web_app(part: Any) -> Content:
    """https://core.telegram.org/bots/api#webappdata: what a Web App sent that the button opened."""
    if not isinstance(part, dict):
        return {}
    title, data = text(part.get("button_text")), text(part.get("data"))
    return ({"buttonReply": {"title": title}} if title else {}) | ({"form": data} if data else {})


#: In this order: an animation is a document too, and a venue a location, for clients that do not know the former.
CONTENTS: dict[str, Callable[[Any], Content]] = {
    "text": _text,
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
