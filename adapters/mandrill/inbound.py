"""Reads Mandrill's inbound messages: mail that it has parsed.

https://mailchimp.com/developer/transactional/docs/webhooks/#inbound-messages
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import text
from adapters.reading.inbound_mail import InboundMail, headers_of
from adapters.reading.inbound_mail import received as received_mail
from adapters.reading.mailboxes import formatted
from adapters.reading.mime import MOST_MEDIA, body_of, content_of, mail_of, media_of
from adapters.reading.mime_parts import base64_of
from adapters.reading.shapes import object_of
from adapters.reading.times import from_unix
from schemas.events import Event

_TEXTS = ("subject", "text", "html")
_READ = ("from", "to", "subject", "message-id", "in-reply-to", "references", "date")


def received(msg: dict[str, Any], item: dict[str, Any], request: Request) -> Event:
    """Return the event of a mail: …/docs/webhooks/#inbound-messages. It has no id of Mandrill's. What the item lacks is read
    from the raw mail. Raises Unprocessable if it has no sender."""
    headers = {key.lower(): _first(value) for key, value in object_of(msg.get("headers")).items()}
    raw = (text(msg.get("raw_msg")) or "").encode("utf-8", "replace")
    content: dict[str, Any] = {}
    damaged: list[dict[str, Any]] = []
    if raw and not (headers and any(msg.get(key) for key in _TEXTS)):
        whole = mail_of(raw, request)
        headers = headers_of(whole, _READ) | headers
        content = content_of(whole, damaged) | ({"subject": headers["subject"]} if "subject" in headers else {})
    address = text(msg.get("from_email"))
    sender = formatted(text(msg.get("from_name")), address) if address else text(headers.get("from"))
    if sender is None:
        raise Unprocessable("a mail without a sender")
    content |= {key: value for key in _TEXTS if (value := text(msg.get(key)))}
    parts = [*object_of(msg.get("attachments")).values(), *object_of(msg.get("images")).values()]
    files = [part for part in parts if isinstance(part, dict)][:MOST_MEDIA]
    if files:
        content["media"] = [media_of(part.get("name"), part.get("type"), None, _bytes(part)) for part in files]
    one = InboundMail(
        sender=sender,
        recipients=[to for _, to in recipients_of(msg.get("email") or headers.get("to"))],
        content=content,
        message_id=headers.get("message-id"),
        in_reply_to=headers.get("in-reply-to"),
        references=headers.get("references"),
        date=text(headers.get("date")),
        files=[text(part.get("content")) or "" for part in files] or [body_of(raw)],
        status="inbound",
        occurred_at=from_unix(item.get("ts")),
        undecoded=damaged,
        headers=headers,
        found={key: msg.get(key) for key in ("cc", "spam_report", "spf", "dkim", "tags")},
    )
    return received_mail(one, request)


def _first(value: Any) -> Any:
    """Return a header's value, the first if it is a list."""
    return value[0] if isinstance(value, list) and value else value


def _bytes(part: dict[str, Any]) -> bytes | None:
    """Return the bytes of a file, whose content is base64 unless `base64` is false."""
    content = text(part.get("content"))
    if content is None:
        return None
    return content.encode("utf-8", "replace") if part.get("base64") is False else base64_of(content)
