"""Reads the content of Infobip's inbound messages, by its type: of WhatsApp, RCS, Viber and the Messages API.

The types follow Infobip's own libraries, https://github.com/infobip/infobip-api-java-client
(WhatsAppWebhookInboundMessage, ViberInboundContent, MessagesApiWebhookEventContent) and
https://github.com/infobip/infobip-api-go-client (rcs InboundMessageContent).
"""

from collections.abc import Callable
from typing import Any

from adapters.reading.facts import count, place_of, text

Item = dict[str, Any]
Content = dict[str, Any]
#: Parts of one message that are read.
MOST = 100
#: The longest id or title of a button that the schema allows; RCS allows 2048 characters of `postbackData`.
_LONGEST = 1024


def word_of(part: Item) -> str:
    """Return the word of a part's type, in upper case, or an empty text."""
    return (text(part.get("type")) or "").upper()


def content_of(parts: list[Item]) -> Content | None:
    """Return the content of a message's parts: its texts, joined by line ends, its media, and what else there is. None if
    none of the parts is of a known type."""
    found = [read(part) for part in parts[:MOST] if (read := CONTENTS.get(word_of(part))) is not None]
    if len(found) < 2:
        return found[0] if found else None
    texts = [one.pop("text") for one in found if "text" in one]
    media = [file for one in found for file in one.pop("media", [])]
    content: Content = {"text": "\n".join(texts)} if texts else {}
    for one in found:
        content |= one
    return content | ({"media": media[:MOST]} if media else {})


def mms(parts: list[Any]) -> Content:
    """Return the content of an MMS: its texts, joined by line ends, and its media. A SMIL part only arranges the others."""
    texts: list[str] = []
    media: list[Item] = []
    for part in [one for one in parts[:MOST] if isinstance(one, dict)]:
        kind, words, url = text(part.get("contentType")) or "", text(part.get("value")), text(part.get("url"))
        if words is not None and kind.startswith("text/"):
            texts.append(words)
        elif url is not None:
            media.append({"url": url} | ({"type": kind[:255]} if kind else {}))
    return ({"text": "\n".join(texts)} if texts else {}) | ({"media": media} if media else {})


def _text(part: Item) -> Content:
    content: Content = {"text": words} if (words := text(part.get("text"))) else {}
    if isinstance(referral := part.get("referral"), dict):
        content["referral"] = referral  # the advertisement or post that started it
    return content


def _subject(part: Item) -> Content:
    return {"subject": words} if (words := text(part.get("text"))) else {}


def _url(part: Item) -> Content:
    return {"text": url} if (url := text(part.get("url"))) else {}


def _media(part: Item) -> Content:
    """Read a file. Its caption is `caption` of WhatsApp, `text` of the Messages API; its name `name` or `fileName`."""
    url, name = text(part.get("url")), text(part.get("name")) or text(part.get("fileName"))
    content: Content = {}
    if url:
        file: Item = {"url": url[:8192]}
        if kind := text(part.get("contentType")):
            file["type"] = kind[:255]
        if name:
            file["name"] = name[:1024]
        if (size := count(part.get("size"))) is not None:
            file["size"] = size
        content["media"] = [file]
    if caption := text(part.get("caption")) or text(part.get("text")):
        content["text"] = caption
    return content


def _audio(part: Item) -> Content:
    content = _media(part)
    if url := text(part.get("url")):
        content["audioUrl"] = url[:8192]
    return content


def _contact(part: Item) -> Content:
    return {"contacts": part.get("contacts")} if isinstance(part.get("contacts"), list) else {}


def _chosen(part: Item) -> Content:
    """Read a chosen reply: `payload` and `text` from a template's button, `postbackData` of RCS, `id` and `title` from
    other buttons and lists."""
    names = (("id", ("id", "payload", "postbackData")), ("title", ("title", "text")))
    reply: Item = {}
    for key, keys in names:
        if value := next((found for one in keys if (found := text(part.get(one)))), None):
            reply[key] = value[:_LONGEST]
    content: Content = {"buttonReply": reply} if reply else {}
    if title := reply.get("title"):
        content["text"] = title
    return content


def _reaction(part: Item) -> Content:
    emoji = (text(part.get("emoji")) or "")[:64]
    if (text(part.get("action")) or "").upper() != "REMOVED":
        return {"reaction": {"emoji": emoji}}
    return {"reaction": {"emoji": ""} | ({"removed": emoji} if emoji else {})}


def _whole(part: Item) -> Content:
    """Return a filled form, a payment, a permission to call or an order unchanged."""
    return {"interactive": {key: value for key, value in part.items() if key not in ("type", "context")}}


def _nothing(part: Item) -> Content:
    """Return no content, for a message whose content Infobip withholds."""
    return {}


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "TEXT": _text,
    "SUBJECT": _subject,
    "URL": _url,
    "IMAGE": _media,
    "VIDEO": _media,
    "DOCUMENT": _media,
    "FILE": _media,
    "STICKER": _media,
    "AUDIO": _audio,
    "VOICE": _audio,
    "LOCATION": place_of,
    "CONTACT": _contact,
    "BUTTON": _chosen,
    "BUTTON_REPLY": _chosen,
    "LIST_REPLY": _chosen,
    "SUGGESTION": _chosen,
    "INTERACTIVE_BUTTON_REPLY": _chosen,
    "INTERACTIVE_LIST_REPLY": _chosen,
    "INTERACTIVE_FLOW_REPLY": _whole,
    "INTERACTIVE_PAYMENT_CONFIRMATION": _whole,
    "INTERACTIVE_CALL_PERMISSION_REPLY": _whole,
    "FLOW_RESPONSE": _whole,
    "FORM_RESPONSE": _whole,
    "PAYMENT_RESPONSE": _whole,
    "AUTHENTICATION_RESPONSE": _whole,
    "REACTION": _reaction,
    "ORDER": _whole,
    "INFECTED_CONTENT": _nothing,
    "UNSUPPORTED": _nothing,
}
