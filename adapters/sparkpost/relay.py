"""Reads inbound mail as a relay webhook posts it: https://developers.sparkpost.com/api/relay-webhooks/.

It has no id and no time of SparkPost's, so its content identifies it.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import text
from adapters.reading.inbound_mail import InboundMail, headers_of, received
from adapters.reading.mime import body_of, content_of, mail_of
from adapters.reading.shapes import list_of, object_of
from schemas.events import Event

_TEXTS = (("text", "text"), ("html", "html"), ("subject", "subject"))
_READ = ("from", "to", "subject", "message-id", "in-reply-to", "references", "date")


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. What the item lacks (older posts have the whole mail alone) is read from the mail
    itself. Raises Unprocessable if it has no sender."""
    given = object_of(item.get("content"))
    headers, raw = _headers(given.get("headers")), _raw(given)
    whole = mail_of(raw, request)
    headers = headers_of(whole, _READ) | headers
    sender = headers.get("from") or text(item.get("friendly_from")) or text(item.get("msg_from"))
    if sender is None:
        raise Unprocessable("a mail without a sender")
    damaged: list[dict[str, Any]] = []
    content = content_of(whole, damaged)
    content |= {key: value for key, named in _TEXTS if (value := text(given.get(named)))}
    if "subject" not in content and (subject := headers.get("subject")):
        content["subject"] = subject
    one = InboundMail(
        sender=sender,
        envelope_sender=item.get("friendly_from") or item.get("msg_from"),
        recipients=[to for _, to in recipients_of(item.get("rcpt_to") or headers.get("to"))],
        content=content,
        message_id=headers.get("message-id"),
        in_reply_to=headers.get("in-reply-to"),
        references=headers.get("references"),
        date=headers.get("date"),
        files=[body_of(raw)],
        undecoded=damaged,
        headers=headers,
    )
    return received(one, request)


def _headers(pairs: Any) -> dict[str, str]:
    """Return the headers by their lower-case names, the first of each; they come as objects of one key each."""
    found: dict[str, str] = {}
    for pair in list_of(pairs)[:1000]:
        for name, value in object_of(pair).items():
            if isinstance(value, str):
                found.setdefault(name.lower(), value)
    return found


def _raw(content: dict[str, Any]) -> bytes:
    """Return the whole mail, which has the names of its attachments; it is empty if its base64 is invalid."""
    data = (text(content.get("email_rfc822")) or "").encode("utf-8", "replace")
    if content.get("email_rfc822_is_base64") is not True:
        return data
    try:
        return b64decode(data)
    except (Base64Error, ValueError):
        return b""
