"""Reads inbound mail as Postmark parses it: https://postmarkapp.com/developer/webhooks/inbound-webhook.

Its `Date` is the sender's; Postmark gives no time of its own.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import identifier, text
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.mailboxes import formatted
from adapters.reading.mime import MOST_MEDIA, media_of
from adapters.reading.mime_parts import base64_of
from adapters.reading.shapes import list_of, object_of
from schemas.events import Event

_TEXTS = (("text", "TextBody"), ("html", "HtmlBody"), ("strippedText", "StrippedTextReply"), ("subject", "Subject"))


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has no sender."""
    get = item.get
    sender = object_of(get("FromFull"))
    address = text(sender.get("Email")) or text(get("From"))
    if address is None:
        raise Unprocessable("a mail without a sender")
    headers = {
        name.lower(): header.get("Value")
        for header in list_of(get("Headers"))
        if isinstance(header, dict) and isinstance(name := header.get("Name"), str)
    }
    to = text(get("OriginalRecipient")) or text(get("To"))
    content: dict[str, Any] = {key: value for key, name in _TEXTS if (value := text(get(name)))}
    files = [file for file in list_of(get("Attachments"))[:MOST_MEDIA] if isinstance(file, dict)]
    if files:
        content["media"] = [
            media_of(file.get("Name"), file.get("ContentType"), file.get("ContentID"), _bytes(file)) for file in files
        ]
    message_id = identifier(get("MessageID"))
    one = InboundMail(
        sender=formatted(text(sender.get("Name")), address),
        recipients=[one for _, one in recipients_of(to)],
        content=content,
        provider_id=message_id,
        message_id=headers.get("message-id"),
        in_reply_to=headers.get("in-reply-to"),
        references=headers.get("references"),
        date=text(get("Date")),
        files=[text(file.get("Content")) or "" for file in files],
        headers={"cc": text(get("Cc")), "reply-to": text(get("ReplyTo"))} | headers,
        found={key: get(key) for key in ("Bcc", "MailboxHash", "Tag", "StrippedTextReply")},
    )
    return received(one, request, message_id)


def _bytes(file: dict[str, Any]) -> bytes | None:
    content = text(file.get("Content"))
    return base64_of(content) if content else None
