"""Converts the content of an inbound message in Gupshup's own format into our `content`.

https://docs.gupshup.io/docs/inbound-messages
"""

from typing import Any

from adapters.reading.facts import place_of, text

Item = dict[str, Any]

#: …/inbound-messages: types of messages with a file.
_MEDIA = frozenset({"image", "file", "audio", "video", "sticker", "voice"})
_CHOICES = frozenset({"button_reply", "list_reply", "quick_reply"})
#: Names of fields of our `content` (`schemas/definitions.json`): no raw part may stand there. It is kept in `native`.
_FIELDS = frozenset("text subject html audioUrl media location buttonReply reaction pushPayload".split())


def content_of(kind: str, part: Item) -> dict[str, Any]:
    """Return the content; a part of an unknown kind under its kind, unless that is a field of ours."""
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
    if kind == "location":
        return place_of(part)
    if kind == "reaction":
        reaction = {"emoji": (text(part.get("emoji")) or "")[:64]}  # none: the reaction is removed
        if about := text(part.get("msgId")) or text(part.get("id")):
            reaction["providerMessageId"] = about[:512]
        return {"reaction": reaction}
    if kind == "contact" and isinstance(part.get("contacts"), list):
        return {"contacts": part["contacts"]}
    if words := text(part.get("text")):
        return {"text": words}
    return {kind[:64]: part} if part and kind and kind not in _FIELDS else {}
