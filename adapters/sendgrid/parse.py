"""Reads SendGrid's inbound parse: a mail as form fields, parsed or (`send_raw`) raw, as one MessageReceived.

https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook. SendGrid
gives a mail no id, so that its identity is made of what it says.
"""

import re
from email.message import Message
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.bodies import parse_json
from adapters.reading.charsets import decode, decoded, undecoded
from adapters.reading.inbound_mail import InboundMail, headers_of, received
from adapters.reading.mime import MOST_MEDIA, body_of, content_of, mail_of, media_of, word
from adapters.reading.multipart import FormPart, parts_of
from adapters.reading.times import from_text
from schemas.events import Event

#: SendGrid's own Received line, the first one; the mail's Date is the sender's.
_RECEIVED = re.compile(r"sendgrid\.net\b.*?([A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{5,8} [+-][0-9]{4})")

#: What SendGrid found.
_FOUND = ("SPF", "dkim", "sender_ip", "spam_score", "spam_report")


def is_parse(request: Request) -> bool:
    """Return whether a request is an inbound parse: the event webhook is JSON."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def event(request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if the form has none."""
    parts = parts_of(request)
    fields = _fields(parts)
    if "from" not in fields and "envelope" not in fields and "email" not in fields:
        raise Unprocessable("a form without a mail in it")
    raw = next((part.data for part in parts if part.name == "email"), None)
    mail = mail_of(raw if raw is not None else _head(fields.get("headers", "")), request)
    envelope = _object(fields.get("envelope"))
    damaged: list[dict[str, Any]] = []
    content = content_of(mail, damaged) if raw is not None else _of_fields(fields, parts)
    if subject := fields.get("subject") or word(mail, "Subject"):
        content["subject"] = subject
    one = InboundMail(
        sender=fields.get("from") or word(mail, "From"),
        envelope_sender=envelope.get("from"),
        recipients=[to for _, to in recipients_of(_list(envelope.get("to")) or fields.get("to"))],
        content=content,
        message_id=word(mail, "Message-ID"),
        in_reply_to=word(mail, "In-Reply-To"),
        references=word(mail, "References"),
        date=word(mail, "Date"),
        files=[part.data for part in parts if part.filename is not None] if raw is None else [body_of(raw)],
        occurred_at=_received_at(mail),
        undecoded=damaged if raw is not None else _undecoded(parts),
        headers=headers_of(mail),
        found={name: fields.get(name) for name in _FOUND},
    )
    return received(one, request)


def _fields(parts: list[FormPart]) -> dict[str, str]:
    """Return the form's fields as text, each in the charset that `charsets` names for it."""
    return {name: decode(data, label) for name, data, label in _labelled(parts)}


def _undecoded(parts: list[FormPart]) -> list[dict[str, Any]]:
    """Return the texts with bytes that are invalid in their charset."""
    labelled = [one for one in _labelled(parts) if one[0] in ("text", "html")]
    return [undecoded(name, data, label) for name, data, label in labelled if not decoded(data, label)[1]]


def _labelled(parts: list[FormPart]) -> list[tuple[str, bytes, Any]]:
    plain = {part.name: part.data for part in parts if part.filename is None}
    charsets = _object(plain.get("charsets", b"").decode("utf-8", "replace"))
    return [(name, data, charsets.get(name)) for name, data in plain.items()]


def _of_fields(fields: dict[str, str], parts: list[FormPart]) -> dict[str, Any]:
    content: dict[str, Any] = {name: fields[name] for name in ("text", "html") if fields.get(name)}
    descriptions = _object(fields.get("attachment-info"))
    media: list[dict[str, Any]] = []
    for part in parts:
        if part.filename is not None and len(media) < MOST_MEDIA:
            info = descriptions.get(part.name)
            about = info if isinstance(info, dict) else {}
            kind = part.content_type or about.get("type")
            media.append(media_of(part.filename, kind, about.get("content-id"), part.data))
    if media:
        content["media"] = media
    return content


def _head(headers: str) -> str:
    return headers.rstrip("\r\n") + "\n\n"


def _received_at(mail: Message) -> Any:
    lines = mail.get_all("Received") or []
    found = _RECEIVED.search(" ".join(str(lines[0])[:1000].split())) if lines else None
    return from_text(found[1]) if found else None


def _object(value: Any) -> dict[str, Any]:
    """Return the JSON object of a field, or an empty object."""
    if not isinstance(value, str) or not value:
        return {}
    try:
        found = parse_json(value.encode("utf-8", "replace"))
    except Unprocessable:
        return {}
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
