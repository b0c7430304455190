"""Converts a Slack message into our `content`.

https://docs.slack.dev/reference/events/message, …/reference/objects/file-object,
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments.
"""

from typing import Any

from adapters.reading.facts import text
from adapters.slack.ids import plain

Item = dict[str, Any]

MOST_MEDIA = 100


def _file(file: Item) -> dict[str, Any]:
    fields = (("id", "id", 1024), ("name", "name", 1024), ("type", "mimetype", 255), ("url", "url_private", 8192))
    media: dict[str, Any] = {key: value[:most] for key, name, most in fields if (value := text(file.get(name)))}
    size = file.get("size")
    return media | ({"size": size} if type(size) is int and size >= 0 and media else {})


def content_of(item: Item) -> dict[str, Any]:
    """Return the text, the files, and what is forwarded or laid out in blocks."""
    content: dict[str, Any] = {}
    if words := plain(item.get("text")):
        content["text"] = words
    files = item.get("files")
    media = [_file(one) for one in (files[:MOST_MEDIA] if isinstance(files, list) else ()) if isinstance(one, dict)]
    if media := [one for one in media if one]:
        content["media"] = media
    # A forwarded message is an attachment, with its own text, blocks and files.
    for name in ("attachments",) if words else ("attachments", "blocks"):
        if isinstance(parts := item.get(name), list) and parts:
            content[name] = parts[:MOST_MEDIA]
    return content
