"""Reads inbound mail as Mailjet's Parse API posts it.

https://dev.mailjet.com/email/guides/parse-api/ and
https://github.com/mailjet/api-documentation/blob/master/guides/_parse-api.md. Mailjet adds no time of its own; the
only one is the mail's Date.
"""

from email.message import Message
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import text
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.mime import MOST_MEDIA, media_of
from adapters.reading.mime_parts import base64_of
from adapters.reading.shapes import list_of, object_of
from schemas.events import Event

_TEXTS = (("text", "Text-part"), ("html", "Html-part"), ("subject", "Subject"))


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has no sender."""
    get = item.get
    headers = {name.lower(): _one(value) for name, value in object_of(get("Headers")).items()}
    written = text(get("From")) or text(get("Sender"))
    if written is None:
        raise Unprocessable("a mail without a sender")
    content: dict[str, Any] = {key: value for key, named in _TEXTS if (value := text(get(named)))}
    files = [part for part in list_of(get("Parts")) if _is_file(part)][:MOST_MEDIA]
    if files:
        content["media"] = [_file(part, item) for part in files]
    one = InboundMail(
        sender=written,
        envelope_sender=get("Sender"),
        recipients=[to for _, to in recipients_of(get("Recipient"))],
        content=content,
        message_id=headers.get("message-id"),
        in_reply_to=headers.get("in-reply-to"),
        references=headers.get("references"),
        date=text(get("Date")),
        files=[text(get(part["ContentRef"])) or "" for part in files],
        headers=headers,
        found={"SpamAssassinScore": get("SpamAssassinScore")},
    )
    event = received(one, request)
    if reference := text(get("CustomID")):
        event.payload["reference"] = reference[:1024]
    return event


def _is_file(part: Any) -> bool:
    reference = object_of(part).get("ContentRef")
    return isinstance(reference, str) and reference.startswith("Attachment")


def _file(part: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """Return an attachment's name, type and id from its headers; its content is a separate field of the item, in base64."""
    headers, made = object_of(part.get("Headers")), Message()
    for name in ("Content-Type", "Content-Disposition"):
        if value := text(_one(headers.get(name))):
            made[name] = value[:1000].replace("\r", "").replace("\n", "")
    content = text(item.get(part["ContentRef"]))
    data = base64_of(content) if content else None
    return media_of(made.get_filename(), made.get_content_type(), text(_one(headers.get("Content-ID"))), data)


def _one(value: Any) -> Any:
    """Return a header's value, the first if it is a list."""
    return value[0] if isinstance(value, list) and value else value
