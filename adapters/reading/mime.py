"""Reads a raw mail (RFC 5322, MIME) into an event's content: its first plain text, its first HTML, and its attachments.

Anyone can send a mail, and the standard library takes seconds for headers and parts made for that purpose, so that a mail
is read up to these limits.
"""

from email import message_from_bytes, message_from_string
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr
from itertools import islice
from typing import Any, AnyStr

from adapters.contract import Request
from adapters.reading.bodies import NUL
from adapters.reading.charsets import decode
from adapters.reading.facts import identifier

#: Most attachments listed of one mail.
MOST_MEDIA = 100
#: Most lines read of the mails of one request: a megabyte of base64 has some thirteen thousand, and the lines of text and
#: HTML come before it.
MOST_LINES = 10_000
#: Most parts of one mail that are read; most characters of a part's header, and most parameters in it; most characters of
#: a header with encoded words.
_MOST_PARTS = 2 * MOST_MEDIA
_MOST_OF_PART = 1000
_MOST_PARAMETERS = 20
_MOST_ENCODED = 8000
#: Levels that a mail may have, by the words that make one; each costs at every line within it.
_MOST_LEVELS = 16
#: Characters of a mailbox with its name, and comments in it.
_MOST_MAILBOX = 2000
_MOST_COMMENTS = 20
_OF_PART = ("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID")


def mail_of(data: bytes | str, request: Request) -> Message:
    """Parse a mail, up to the lines that the request has left."""
    left: int = request.parsed.get("lines", MOST_LINES)
    if isinstance(data, str):
        text, used = _cut(data, "\r", "\n", left, ("boundary", "message/rfc822"))
        mail = message_from_string(text)
    else:
        cut, used = _cut(data, b"\r", b"\n", left, (b"boundary", b"message/rfc822"))
        mail = message_from_bytes(cut)
    request.parsed["lines"] = left - used
    return mail


def mailbox_of(written: str) -> tuple[str, str]:
    """Return the name and the address of a header's first mailbox, each empty if missing."""
    if len(written) <= _MOST_MAILBOX and written.count("(") <= _MOST_COMMENTS:
        return parseaddr(written)
    return "", written[-_MOST_MAILBOX:].rpartition("<")[2].partition(">")[0].strip()


def _cut(data: AnyStr, cr: AnyStr, lf: AnyStr, most: int, levels: tuple[AnyStr, ...]) -> tuple[AnyStr, int]:
    """Return the first lines and their number (CR, LF and CRLF end a line); only the head of a mail with too many levels."""
    lines = data.count(lf) + data.count(cr) - data.count(cr + lf)
    if lines > most:
        data, lines = data.replace(cr + lf, lf).replace(cr, lf), most
        end = -1
        for _ in range(most):
            end = data.find(lf, end + 1)
        data = data[: end + 1]
    lower = data.lower()
    if sum([lower.count(word) for word in levels]) > _MOST_LEVELS:
        data = data.replace(cr + lf, lf).partition(lf + lf)[0]
    return data, lines


def content_of(mail: Message) -> dict[str, Any]:
    """Return `text`, `html` and `media` (name, type, id) of a mail, without its subject."""
    content: dict[str, Any] = {}
    media: list[dict[str, str]] = []
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
                content[key] = decode(data, part.get_content_charset())
        elif len(media) < MOST_MEDIA:
            media.append(media_of(filename, kind, part.get("Content-ID")))
    if media:
        content["media"] = media
    return content


def media_of(name: Any, kind: Any, content_id: Any) -> dict[str, str]:
    """Return an attachment's name, type and id, as far as they are known."""
    given = (("name", name, 1024), ("type", kind, 255), ("id", content_id, 1024))
    return {key: decode_text(str(value)[: 4 * most])[:most] for key, value, most in given if value}


def decode_text(value: Any) -> str:
    """Decode the encoded words (RFC 2047) in a header's value."""
    text = NUL.sub("\ufffd", str(value))
    if "=?" not in text or len(text) > _MOST_ENCODED:
        return text
    try:
        words = decode_header(text)
    except ValueError:
        return text
    return "".join([decode(word, charset) if isinstance(word, bytes) else word for word, charset in words])


def word(mail: Message, name: str) -> str:
    """Return a header's decoded value on one line, or an empty text."""
    value = mail.get(name)
    return decode_text(value).replace("\r", "").replace("\n", "") if value is not None else ""


def bare_id(value: Any) -> str | None:
    """Return a Message-ID without its angle brackets, which some APIs and webhooks write and others omit."""
    if not isinstance(value, str):
        return None
    first = value.strip().partition(" ")[0]
    return identifier(first[:512].removeprefix("<").removesuffix(">"))
