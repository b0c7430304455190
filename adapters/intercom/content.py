"""Reads the parts of Intercom's conversations: bodies as HTML and as text, contacts as handles."""

from html import unescape
from re import compile as pattern
from typing import Any

from adapters.reading.addresses import handle, of_kind
from adapters.reading.facts import text
from schemas.events import Handle

Item = dict[str, Any]

_TAG = pattern("<[^<>]{0,4096}>")
_BREAK = pattern(r"(?i)<(?:br|/p|/div|/li|/h[1-6])\b[^<>]{0,256}>")


def content_of(part: Item) -> dict[str, Any]:
    """Return a part's content: the body with and without its tags, the subject and the files."""
    content: dict[str, Any] = {}
    written = text(part.get("body"))
    if written is not None:
        plain = unescape(_TAG.sub("", _BREAK.sub("\n", written))).strip()
        content |= {"html": written} if "<" in written else {}
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


def contact_of(conversation: Item) -> Item:
    """Return a conversation's contact: the one that it lists, or else the author of its first message."""
    listed, source = conversation.get("contacts"), conversation.get("source")
    contacts = listed.get("contacts") if isinstance(listed, dict) else None
    author = source.get("author") if isinstance(source, dict) else None
    known = author if isinstance(author, dict) and author.get("type") in ("user", "lead", "contact") else {}
    first = contacts[0] if isinstance(contacts, list) and contacts and isinstance(contacts[0], dict) else known
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
