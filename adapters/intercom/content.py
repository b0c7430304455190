"""Reads the parts of Intercom's conversations: bodies as HTML and as text, contacts as handles."""

from html import unescape
from re import compile as pattern
from typing import Any

from adapters.reading.addresses import handle, of_kind
from adapters.reading.facts import text
from adapters.reading.shapes import object_of
from schemas.events import Handle

Item = dict[str, Any]

_TAG = pattern("<[^<>]{0,4096}>")
#: A body is HTML if it has one of these; since 2.15 one may be plain text, whose `<name>` is no tag.
_HTML = pattern(
    r"(?i)</?(?:p|br|div|span|a|b|i|u|s|em|strong|ul|ol|li|h[1-6]|img|pre|code|blockquote|table|tr|td|hr|html|body|iframe)"
    r"(?:\s[^<>]{0,4096})?/?>"
)
_BREAK = pattern(r"(?i)<(?:br|/p|/div|/li|/h[1-6])\b[^<>]{0,256}>")


def content_of(part: Item) -> dict[str, Any]:
    """Return a part's content: the body with and without its tags, the subject and the files."""
    content: dict[str, Any] = {}
    written = text(part.get("body"))
    if written is not None:
        html = _HTML.search(written) is not None
        plain = unescape(_TAG.sub("", _BREAK.sub("\n", written))).strip() if html else written.strip()
        content |= {"html": written} if html else {}
        content |= {"text": plain} if plain else {}
    if subject := text(part.get("subject")):
        content["subject"] = unescape(_TAG.sub("", subject)) or subject
    files = part.get("attachments")
    names = (("url", "url", 8192), ("type", "content_type", 255), ("name", "name", 1024))
    listed = [one for one in (files if isinstance(files, list) else [])[:100] if isinstance(one, dict)]
    media = [{key: value[:most] for key, name, most in names if (value := text(one.get(name)))} for one in listed]
    if media := [one for one in media if one]:
        content["media"] = media
    return content


def conversation_of(item: Item) -> Item:
    """Return the conversation or ticket that an item is, or that it names beside a new part."""
    return ticket if isinstance(ticket := item.get("ticket"), dict) else item


def source_of(conversation: Item) -> Item:
    """Return a conversation's first message (in 1.x its `conversation_message`), or an empty object."""
    return object_of(conversation.get("source") or conversation.get("conversation_message"))


def contact_of(conversation: Item) -> Item:
    """Return a conversation's contact: the one that it lists, in 1.x its `user`, or else the author of its first message."""
    contacts = object_of(conversation.get("contacts")).get("contacts")
    author = object_of(source_of(conversation).get("author"))
    known = author if author.get("type") in ("user", "lead", "contact") else {}
    listed = contacts[0] if isinstance(contacts, list) and contacts else conversation.get("user")
    first = listed if isinstance(listed, dict) else known
    return known if known and known.get("id") == first.get("id") else first


def customer_of(person: Item, channel: str) -> tuple[Handle | None, list[dict[str, str]]]:
    """Return the customer's handle (the channel's own address, or else Intercom's id) and the person's other handles.

    A lead's other handles are left out, as a visitor typed them, and they may be another person's.
    """
    id_ = text(person.get("id"))
    chat = of_kind("chat_id", f"intercom:{id_}") if id_ else None
    mail, number = handle(person.get("email"), "email"), handle(person.get("phone"), "sms")
    own = {"email": mail, "sms": number, "whatsapp": number}.get(channel)
    known = [one for one in (own, chat, mail, number) if one is not None]
    first = known[0] if known else None
    trusted = known[1:] if "user" in (person.get("type"), person.get("role")) else [chat] if chat else []
    others = [{"kind": one.kind, "value": one.value} for one in trusted if one != first]
    return first, [one for at, one in enumerate(others) if one not in others[:at]]
