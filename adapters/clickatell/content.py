"""Reads the content of a message that Clickatell received: a text, media or a place."""

from typing import Any

from adapters.clickatell import legacy
from adapters.reading.facts import location, text

Item = dict[str, Any]

#: The keys of a reply's text.
TEXTS = ("text", "messageText", "content")


def content_of(kind: str, item: Item) -> dict[str, Any]:
    """Return the content of a message of a kind: one of One API, or an older reply."""
    if kind == "moLocation":
        nested = item.get("location")
        part = nested if isinstance(nested, dict) else item
        place = location(part.get("latitude"), part.get("longitude"), part.get("name") or part.get("address"))
        return {"location": place} if place else {"moLocation": item}
    content: dict[str, Any] = {}
    if kind != "moMedia":
        words = next((found for name in TEXTS if (found := text(item.get(name)))), None)
        return {"text": legacy.decoded(words, text(item.get("charset")))} if words else {}
    names = (("url", "downloadUrl", 8192), ("type", "contentType", 255), ("name", "fileName", 1024))
    files = item.get("files")
    parts = [one for one in (files if isinstance(files, list) else [item])[:100] if isinstance(one, dict)]
    media = [{key: value[:most] for key, name, most in names if (value := text(one.get(name)))} for one in parts]
    if media := [one for one in media if one]:
        content["media"] = media
    if caption := text(item.get("caption")):
        content["text"] = caption
    return content
