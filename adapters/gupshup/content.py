"""Converts the content of an inbound message in Gupshup's own format into our `content`.

https://docs.gupshup.io/docs/inbound-messages
"""

from typing import Any

from adapters.reading.facts import location, text

Item = dict[str, Any]

#: …/inbound-messages: types of messages with a file.
_MEDIA = frozenset({"image", "file", "audio", "video", "sticker", "voice"})
_CHOICES = frozenset({"button_reply", "list_reply", "quick_reply"})


def content_of(kind: str, part: Item) -> dict[str, Any]:
    """Return the content; a part of an unknown kind under its kind."""
    if kind in _MEDIA:
        names = (("url", "url", 8192), ("type", "contentType", 255), ("name", "name", 1024))
        media = {key: value[:most] for key, name, most in names if (value := text(part.get(name)))}
        content: dict[str, Any] = {"media": [media]} if media else {}
        if caption := text(part.get("caption")):
            content["text"] = caption
        return content
    if kind in _CHOICES:
        title = text(part.get("title")) or text(part.get("text"))
        reply = (("id", text(part.get("postbackText")) or text(part.get("id"))), ("title", title))
        content = {"buttonReply": {key: value[:1024] for key, value in reply if value}}
        return content | ({"text": title} if title else {})
    if kind == "location" and (
        place := location(part.get("latitude"), part.get("longitude"), part.get("name") or part.get("address"))
    ):
        return {"location": place}
    if kind == "contact" and isinstance(part.get("contacts"), list):
        return {"contacts": part["contacts"]}
    if kind == "reaction":  # without an emoji: the reaction is removed
        reaction = {"emoji": text(part.get("emoji")) or ""}
        message_id = text(part.get("msgId")) or text(part.get("id"))
        return {"reaction": reaction | ({"providerMessageId": message_id} if message_id else {})}
    if words := text(part.get("text")):
        return {"text": words}
    return {kind[:64] or "part": part} if part else {}
