"""Converts a message of Messenger or Instagram into our `content`.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
"""

from typing import Any

from adapters.reading.facts import location, text

Item = dict[str, Any]

#: Kinds of files, with all that Meta reports of the media type.
_FILES = {"image": "image/*", "audio": "audio/*", "video": "video/*", "file": None}
_MOST_MEDIA = 100


def content_of(message: Item) -> Item:
    """Return text, files and the chosen quick reply; other attachments (a shared post, a template) unchanged."""
    content: Item = {}
    if words := text(message.get("text")):
        content["text"] = words
    attachments = message.get("attachments")
    if isinstance(attachments, list):
        _add_attachments(content, attachments[:_MOST_MEDIA])
    chosen = message.get("quick_reply")
    if isinstance(chosen, dict):
        reply = {key: value[:1024] for key, value in (("id", text(chosen.get("payload"))), ("title", words)) if value}
        content["buttonReply"] = reply
    replied = message.get("reply_to")
    if isinstance(replied, dict) and isinstance(story := replied.get("story"), dict):
        content["story"] = story
    if isinstance(referral := message.get("referral"), dict):  # the advertisement or product that started it
        content["referral"] = referral
    return content


def _add_attachments(content: Item, attachments: list[Any]) -> None:
    media: list[dict[str, str]] = []
    others: list[Item] = []
    for attachment in attachments:
        if not isinstance(attachment, dict):
            continue
        kind, part = text(attachment.get("type")) or "", attachment.get("payload")
        part = part if isinstance(part, dict) else {}
        if url := text(part.get("url")) or text(attachment.get("url")):
            file = {"url": url}
            if type_ := _FILES.get(kind):
                file["type"] = type_
            media.append(file)
            if kind == "audio":
                content.setdefault("audioUrl", url)
        place = part.get("coordinates")
        if isinstance(place, dict) and (
            found := location(place.get("lat"), place.get("long"), attachment.get("title"))
        ):
            content["location"] = found
        elif kind not in _FILES:
            others.append(attachment)
    if media:
        content["media"] = media
    if others:
        content["attachments"] = others
