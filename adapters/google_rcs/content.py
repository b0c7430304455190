"""Converts the content of a user's RCS message into our `content`.

https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/UserMessage
"""

from typing import Any

from adapters.reading.facts import location, text
from adapters.reading.shapes import object_of

Content = dict[str, Any]

#: The kinds of content, of which a message has one.
KINDS = ("text", "userFile", "location", "suggestionResponse")


def content_of(kind: str, part: Any) -> Content:
    """Return the content of one of `KINDS`."""
    if kind == "text":
        return {"text": words} if (words := text(part)) else {}
    found = object_of(part)
    if kind == "userFile":
        return _file(object_of(found.get("payload")))
    if kind == "location":
        place = location(found.get("latitude"), found.get("longitude"))
        return {"location": place} if place else {}
    title = text(found.get("text"))
    reply = {key: value[:1024] for key, value in (("id", text(found.get("postbackData"))), ("title", title)) if value}
    return {"buttonReply": reply} | ({"text": title} if title else {})


def _file(payload: Content) -> Content:
    names = (("url", "fileUri", 8192), ("type", "mimeType", 255), ("name", "fileName", 1024))
    media = {key: value[:most] for key, name, most in names if (value := text(payload.get(name)))}
    return {"media": [media]} if media else {}
