"""A mail as it was sent (RFC 5322, MIME) as an event's content: its first plain text, its first HTML, the rest by name."""

from email.header import decode_header
from email.message import Message
from typing import Any

from adapters.bodies import NUL
from adapters.charsets import decode
from adapters.facts import identifier

#: Attachments of one mail that are named.
MOST_MEDIA = 100


def content_of(mail: Message) -> dict[str, Any]:
    """`text`, `html` and `media` (name, type, id) of a mail, without its subject."""
    content: dict[str, Any] = {}
    media: list[dict[str, str]] = []
    for part in mail.walk():
        if part.is_multipart():
            continue
        kind, filename = part.get_content_type(), part.get_filename()
        key = {"text/plain": "text", "text/html": "html"}.get(kind)
        if key is not None and filename is None and key not in content:
            data = part.get_payload(decode=True)
            if isinstance(data, bytes) and data:
                content[key] = decode(data, part.get_content_charset())
        elif len(media) < MOST_MEDIA:
            media.append(media_of(filename, kind, part.get("Content-ID")))
    if media:
        content["media"] = media
    return content


def media_of(name: Any, kind: Any, content_id: Any) -> dict[str, str]:
    """An attachment by what is known of it."""
    given = (("name", name, 1024), ("type", kind, 255), ("id", content_id, 1024))
    return {key: decode_text(value)[:most] for key, value, most in given if value}


def decode_text(value: Any) -> str:
    """A header's value with its encoded words (RFC 2047) read."""
    text = NUL.sub("\ufffd", str(value))
    if "=?" not in text:
        return text
    try:
        words = decode_header(text)
    except ValueError:
        return text
    return "".join([decode(word, charset) if isinstance(word, bytes) else word for word, charset in words])


def word(mail: Message, name: str) -> str:
    """A header's value on one line; empty where there is none."""
    value = mail.get(name)
    return decode_text(value).replace("\r", "").replace("\n", "") if value is not None else ""


def bare_id(value: Any) -> str | None:
    """A Message-ID without its angle brackets, as APIs and webhooks write it now with and now without."""
    if not isinstance(value, str):
        return None
    first = value.strip().partition(" ")[0]
    return identifier(first[:512].removeprefix("<").removesuffix(">"))
