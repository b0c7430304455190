"""Reads inbound mail of Resend, which has no body: it must be fetched by the mail's id.

https://resend.com/docs/webhooks/emails/received
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import count, text
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.resend.contacts import MOST
from schemas.events import Event


def event(body: dict[str, Any], data: dict[str, Any], request: Request, event_id: str, email_id: str) -> Event:
    """Return the event of the mail."""
    content: dict[str, Any] = {"subject": subject} if (subject := text(data.get("subject"))) else {}
    attachments = data.get("attachments")
    given = (("id", "id"), ("type", "content_type"), ("name", "filename"))
    media: list[dict[str, Any]] = [
        {key: value for key, name in given if (value := text(item.get(name)))}
        | ({"size": size} if (size := count(item.get("size"))) is not None else {})
        for item in (attachments[:MOST] if isinstance(attachments, list) else [])
        if isinstance(item, dict)
    ]
    if media:
        content["media"] = media
    one = InboundMail(
        sender=text(data.get("from")),
        recipients=[address for _, address in recipients_of(data.get("received_for") or data.get("to"))[:MOST]],
        content=content,
        provider_id=email_id,
        message_id=data.get("message_id"),
        status="email.received",
        occurred_at=from_text(body.get("created_at")),
    )
    return keep_rest(received(one, request, event_id), data, ("created_at", "message_id"))
