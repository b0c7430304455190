"""Reads a raw mail (RFC 5322, MIME) into an event's content: its first plain text, its first HTML, and its attachments.

Anyone can send a mail, and the standard library takes seconds for headers and parts made for that purpose, so that a mail
is read up to these limits.
"""

import re
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from hashlib import sha256
from itertools import islice
from types import MappingProxyType
from typing import Any

from adapters.contract import Request
from adapters.reading.charsets import decoded, undecoded, utf_8_or
from adapters.reading.encoded_words import decode_text
from adapters.reading.facts import identifier
from adapters.reading.mailboxes import mailbox_of
from adapters.reading.mime_parts import hollow

__all__ = [
    "MOST_LINES",
    "MOST_MEDIA",
    "bare_id",
    "bare_ids",
    "body_of",
    "content_of",
    "decode_text",
    "mail_of",
    "mailbox_of",
    "media_of",
    "word",
]

#: Most attachments listed of one mail.
MOST_MEDIA = 100
#: Most lines read of the mails of one request: a megabyte of base64 has some thirteen thousand, and the lines of text and
#: HTML come before it.
MOST_LINES = 10_000
#: Most parts of one mail that are read; most characters of a part's header, and most parameters in it.
_MOST_PARTS = 2 * MOST_MEDIA
_MOST_OF_PART = 1000
_MOST_PARAMETERS = 20
#: Most levels of a mail, counted by the words that begin one; each level costs time at every line within it.
_MOST_LEVELS = 16
_OF_PART = ("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID")
#: Ids that are read of References, which names all mails of a thread.
_MOST_IDS = 100
_ID = re.compile(r"<([^<>\s]{1,512})>")
#: Headers whose value is a list of mailboxes (RFC 5322 section 3.6).
_OF_ADDRESSES = frozenset("from sender reply-to to cc bcc delivered-to".split())
_CHARSET = re.compile(r"charset\s{0,8}=\s{0,8}\"?([\w.:-]{1,40})", re.IGNORECASE)
#: https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding: a document names its own charset.
_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,8}=\s{0,8}[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)


class Mail(Message):
    """A mail whose files are apart: their bytes by the marks that stand for them (`mime_parts.hollow`)."""

    def __init__(self, files: Mapping[str, bytes] = MappingProxyType({})) -> None:
        super().__init__()
        self.files = files


def mail_of(data: bytes | str, request: Request) -> Message:
    """Parse a mail, up to the lines that the request has left; those of its files do not count."""
    left: int = request.parsed.get("lines", MOST_LINES)
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    raw, files = hollow(raw)
    cut, used = _cut(raw, left)
    mail = message_from_bytes(cut, Mail)
    mail.files = files
    request.parsed["lines"] = left - used
    return mail


def _cut(data: bytes, most: int) -> tuple[bytes, int]:
    """Return the first lines and their number (CR, LF and CRLF end a line); only the head of a mail with too many levels."""
    lines = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
    if lines > most:
        data, lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), most
        end = -1
        for _ in range(most):
            end = data.find(b"\n", end + 1)
        data = data[: end + 1]
    lower = data.lower()
    if lower.count(b"boundary") + lower.count(b"message/rfc822") > _MOST_LEVELS:
        data = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return data, lines


def content_of(mail: Message, damaged: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return `text`, `html` and `media` (name, type, id, size, digest) of a mail, without its subject. A text with bytes
    that are invalid
    in its charset is added to `damaged` as it came."""
    content: dict[str, Any] = {}
    media: list[dict[str, Any]] = []
    files = mail.files if isinstance(mail, Mail) else {}
    for part in islice(mail.walk(), _MOST_PARTS):
        if part.is_multipart():
            continue
        for name in _OF_PART:
            value = str(part.get(name, ""))
            if len(value) > _MOST_OF_PART or value.count(";") > _MOST_PARAMETERS:
                part.replace_header(name, ";".join(value[:_MOST_OF_PART].split(";")[:_MOST_PARAMETERS]))
        kind, filename = part.get_content_type(), part.get_filename()
        key = {"text/plain": "text", "text/html": "html"}.get(kind)
        if key is not None and filename is None and key not in content:
            data = part.get_payload(decode=True)
            if isinstance(data, bytes) and data:
                label = part.get_content_charset()
                if label is None and key == "html" and (meta := _META.search(data[:1024])):
                    label = meta[1].decode("ascii")
                content[key], whole = decoded(data, label)
                if not whole and damaged is not None:
                    damaged.append(undecoded(key, data, label))
        elif len(media) < MOST_MEDIA:
            body = part.get_payload()
            data = files.get(body.strip()) if isinstance(body, str) and len(body) < _MOST_OF_PART else None
            media.append(media_of(filename, kind, part.get("Content-ID"), data))
    if media:
        content["media"] = media
    return content


def body_of(data: bytes) -> bytes:
    """Return a raw mail without its header, which servers add to as they pass it on."""
    ends = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n", b"\r\r") if (at := data.find(mark)) >= 0]
    at, length = min(ends, default=(len(data), 0))
    return data[at + length :]


def media_of(name: Any, kind: Any, content_id: Any, data: bytes | None = None) -> dict[str, Any]:
    """Return an attachment's name, type and id, as far as they are known, and if the webhook has its bytes their number and
    their SHA-256, by which it can be read (`adapters.reading.attachments`)."""
    given = (("name", name, 1024), ("type", kind, 255), ("id", content_id, 1024))
    about: dict[str, Any] = {key: decode_text(str(value)[: 4 * most])[:most] for key, value, most in given if value}
    return about if data is None else about | {"size": len(data), "digest": sha256(data).hexdigest()}


def word(mail: Message, name: str) -> str:
    """Return a header's decoded value on one line, or an empty text. A header of addresses is returned as written,
    since its names may be decoded only after the addresses are read (RFC 2047 section 6.2). Bytes above ASCII, which
    RFC 6532 allows, are decoded as UTF-8, or in the charset that the mail's text has."""
    lower = name.lower()
    value = next((value for key, value in mail.raw_items() if key.lower() == lower), None)
    if value is None:
        return ""
    written = str(value)
    if not written.isascii():
        label = _CHARSET.search(str(mail.get("Content-Type", ""))[:_MOST_OF_PART])
        written = utf_8_or(written.encode("utf-8", "surrogateescape"), label[1] if label else None)
    decoded_value = written if lower in _OF_ADDRESSES else decode_text(written)
    return decoded_value.replace("\r", "").replace("\n", "")


def bare_id(value: Any) -> str | None:
    """Return a Message-ID without its angle brackets, which some APIs and webhooks write and others omit."""
    if not isinstance(value, str):
        return None
    first = value.strip().partition(" ")[0]
    return identifier(first[:512].removeprefix("<").removesuffix(">"))


def bare_ids(value: Any) -> list[str]:
    """Return the Message-IDs of a References header, the oldest first, without angle brackets; of too many the newest."""
    return _ID.findall(value[-_MOST_IDS * 520 :])[-_MOST_IDS:] if isinstance(value, str) else []
