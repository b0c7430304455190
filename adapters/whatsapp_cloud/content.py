"""Reads the content of a WhatsApp message, by its type, from Meta's object to our `content`.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages, one page per
type.
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import place_of, text

Item = dict[str, Any]
Content = dict[str, Any]


def content_of(message: Item) -> Content | None:
    """Return the content, or None for an unknown type of message."""
    kind = message.get("type")
    read = CONTENTS.get(kind) if isinstance(kind, str) else None
    if read is None:
        return None
    part = message.get(str(kind))
    content = read(part) if isinstance(part, dict) else _contacts(part) if kind == "contacts" else {}
    if isinstance(referral := message.get("referral"), dict):  # the advertisement or post that led to it
        content["referral"] = referral
    return content


def _text(part: Item) -> Content:
    return {"text": body} if (body := text(part.get("body"))) else {}


def _media(part: Item) -> Content:
    names = (("type", "mime_type", 255), ("id", "id", 1024), ("url", "url", 8192), ("name", "filename", 1024))
    media = {key: value[:most] for key, name, most in names if (value := text(part.get(name)))}
    if "url" not in media and (link := text(part.get("link"))):  # of a message as it was sent
        media["url"] = link[:8192]
    content: Content = {"media": [media]} if media else {}
    if caption := text(part.get("caption")):
        content["text"] = caption
    return content


def _audio(part: Item) -> Content:
    content = _media(part)
    if url := text(part.get("url")):
        content["audioUrl"] = url[:8192]
    return content


def _contacts(part: Any) -> Content:
    return {"contacts": part} if isinstance(part, list) else {}


def _button(part: Item) -> Content:
    return _chosen(part.get("payload"), part.get("text"))


def _interactive(part: Item) -> Content:
    for kind in ("button_reply", "list_reply"):
        if isinstance(reply := part.get(kind), dict):
            return _chosen(reply.get("id"), reply.get("title"))
    if isinstance(flow := part.get("nfm_reply"), dict):  # a filled form; its answers are JSON, as text
        content = _chosen(flow.get("name"), flow.get("body"))
        if answers := text(flow.get("response_json")):
            content["form"] = answers
        return content
    return {"interactive": part}


def _chosen(id_: Any, title: Any) -> Content:
    # A form's `body` may be longer than a button's label: it is cut as the label, and whole as the text.
    words = text(title)
    reply = {key: value[:1024] for key, value in (("id", text(id_)), ("title", words)) if value}
    return {"buttonReply": reply} | ({"text": words} if words else {})


def _reaction(part: Item) -> Content:
    reaction = {"emoji": (text(part.get("emoji")) or "")[:64]}  # empty: the reaction is removed
    if message_id := text(part.get("message_id")):
        reaction["providerMessageId"] = message_id
    return {"reaction": reaction}


def _order(part: Item) -> Content:
    content: Content = {"order": part}
    if note := text(part.get("text")):
        content["text"] = note
    return content


def _nothing(part: Item) -> Content:
    return {}


def _edit(part: Item) -> Content:
    message = part.get("message")
    # One level only: Meta resolves an edit of an edit.
    if not isinstance(message, dict) or message.get("type") == "edit":
        return {}
    return content_of(message) or {}


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "document": _media,
    "sticker": _media,
    "audio": _audio,
    "voice": _audio,
    "location": place_of,
    "contacts": _contacts,
    "button": _button,
    "interactive": _interactive,
    "reaction": _reaction,
    "order": _order,
    # A message that the user's app supports and Meta's API does not, such as a poll.
    "unsupported": _nothing,
    "unknown": _nothing,
    "edit": _edit,
    "revoke": _nothing,
}
