"""Reads the mail that MailerSend's inbound routes post, and the statuses of its SMS.

https://developers.mailersend.com/api/v1/inbound.html describes routes, but not their payloads, which are known from
https://github.com/anymail/django-anymail/blob/main/tests/test_mailersend_inbound.py. SMS:
https://developers.mailersend.com/api/v1/sms-webhooks.html#payload-example.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import count, fact_id, identifier, text
from adapters.reading.inbound_mail import InboundMail
from adapters.reading.inbound_mail import received as received_mail
from adapters.reading.mailboxes import formatted
from adapters.reading.mime import media_of
from adapters.reading.mime_parts import base64_of
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from schemas.events import Error, Event

_MOST_MEDIA = 100
_STORED = ("raw", "attachments", "object", "date", "created_at", "from")


def received(body: dict[str, Any], data: dict[str, Any], request: Request) -> Event:
    """Return the event of a parsed inbound mail. Raises Unprocessable if it has no id."""
    message_id = identifier(data.get("id"))
    if message_id is None:
        raise Unprocessable("a mail without an id")
    by, envelope = object_of(data.get("from")), object_of(data.get("sender"))
    address = text(by.get("email")) or text(envelope.get("email")) or ""
    content: dict[str, Any] = {key: value for key in ("subject", "text", "html") if (value := text(data.get(key)))}
    if media := _media(data.get("attachments")):
        content["media"] = media
    recipients = recipients_of(object_of(data.get("recipients")).get("rcptTo"))
    one = InboundMail(
        sender=formatted(text(by.get("name")), address) if address else None,
        recipients=[to for _, to in recipients[:50]],
        content=content,
        provider_id=message_id,
        message_id=_header(data, "Message-ID"),
        in_reply_to=_header(data, "In-Reply-To"),
        references=_header(data, "References"),
        status="inbound.message",
        occurred_at=from_text(data.get("created_at")) or from_text(body.get("created_at")),
    )
    event = received_mail(one, request, message_id)
    # The raw mail and the attachments stay in the stored webhook.
    return keep_rest(event, data, _STORED, read=("Message-ID", "In-Reply-To", "References"))


def sms(word: str, type_: str, body: dict[str, Any], data: dict[str, Any], request: Request) -> Event:
    """Return the event of an SMS status. Raises Unprocessable if it has no id."""
    about = object_of(data.get("sms"))
    message_id, number = _sms_id(data), _sms_number(data)
    if message_id is None:
        raise Unprocessable("an SMS without an id")
    customer = handle(number, "sms")
    payload: dict[str, Any] = {"providerStatus": word}
    fields = (("from", text(data.get("from"))), ("to", customer.value if customer else number))
    payload |= {key: value[:2048] for key, value in fields if value}
    if (segments := count(about.get("segment_count"))) is not None:
        payload["segments"] = segments
    kind, words = text(about.get("error_type")), text(about.get("error_description"))
    event = Event(
        type_,
        request.source,
        fact_id("mailersend", word, message_id, number),
        channel="sms",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(body.get("created_at")),
        error=Error(kind, words, "unknown") if type_ == "MessageFailed" else None,
        payload=payload,
    )
    return keep_rest(event, data, ("object", "id", "type"))


def about_sms(event: Event, data: dict[str, Any]) -> None:
    """Give the unmapped event of an SMS its message and its recipient."""
    event.channel, event.direction = "sms", "outbound"
    event.provider_message_id, event.handle = _sms_id(data), handle(_sms_number(data), "sms")


def _sms_id(data: dict[str, Any]) -> str | None:
    return identifier(data.get("sms_message_id")) or identifier(object_of(data.get("sms")).get("id"))


def _sms_number(data: dict[str, Any]) -> str | None:
    return text(data.get("to")) or text(object_of(data.get("sms")).get("to"))


def _header(data: dict[str, Any], name: str) -> str | None:
    for key, value in object_of(data.get("headers")).items():
        if key.lower() == name.lower():
            first = value[0] if isinstance(value, list) and value else value
            return first.strip()[:65536] if isinstance(first, str) else None
    return None


def _media(attachments: Any) -> list[dict[str, Any]]:
    """Return the attachments' names, types and ids, and what their bytes, which stay in the stored webhook, are found by."""
    return [
        media_of(
            text(item.get("file_name")),
            text(item.get("content_type")),
            text(item.get("content_id")),
            base64_of(content) if (content := text(item.get("content"))) else None,
        )
        for item in (attachments[:_MOST_MEDIA] if isinstance(attachments, list) else [])
        if isinstance(item, dict)
    ]
