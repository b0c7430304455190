"""Reads mail that Postal posts to an HTTP endpoint: as JSON or a form, parsed ("processed") or raw.

https://docs.postalserver.io/developer/http-payloads
"""

from base64 import b64decode
from binascii import Error as Base64Error
from email.message import Message
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.bodies import form_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.inbound_mail import InboundMail, headers_of, received
from adapters.reading.mime import MOST_MEDIA, content_of, mail_of, media_of, word
from adapters.reading.mime_parts import base64_of
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of
from adapters.reading.times import from_unix
from schemas.events import Event

#: Fields that the event has, in another spelling, or that stay in the stored webhook.
_HELD = (
    *("id", "token", "message", "attachments", "attachment_quantity", "bounce", "timestamp", "date", "base64"),
    *("message_id", "in_reply_to", "references", "from"),
)
_READ = ("From", "Message-ID", "In-Reply-To", "References")


def of_form(request: Request) -> dict[str, Any]:
    """Return the form as the JSON object that it stands for. Raises Unprocessable."""
    fields: dict[str, Any] = dict(form_of(request))
    attachments: list[dict[str, str]] = []
    for index in range(MOST_MEDIA):
        if (name := fields.get(f"attachments[{index}][filename]")) is None:
            break
        rest = {key: fields.get(f"attachments[{index}][{key}]", "") for key in ("content_type", "data")}
        attachments.append({"filename": name} | rest)
    return fields | {"attachments": attachments, "bounce": fields.get("bounce") == "true"}


def event(mail: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has no id or recipient."""
    message_id, to = identifier(mail.get("id")), text(mail.get("rcpt_to"))
    if message_id is None or to is None:
        raise Unprocessable("a mail without an id or a recipient")
    whole = _whole(mail.get("message"), request)
    if mail.get("bounce") is True:
        # A report on a mail of ours, not a customer's message.
        found = unknown(request, mail, status="bounce", event_id=fact_id("postal", "bounce", message_id, to))
        found.channel, found.direction, found.provider_message_id = "email", "inbound", message_id
        found.occurred_at = from_unix(mail.get("timestamp"))
        return found
    damaged: list[dict[str, Any]] = []
    headers = {name: word(whole, name) for name in _READ} if whole is not None else {}
    one = InboundMail(
        sender=text(mail.get("from")) or headers.get("From"),
        envelope_sender=mail.get("mail_from"),
        recipients=[to for _, to in recipients_of(to)],
        content=_of_mail(whole, damaged) if whole is not None else _of_fields(mail),
        provider_id=message_id,
        message_id=text(mail.get("message_id")) or headers.get("Message-ID"),
        in_reply_to=text(mail.get("in_reply_to")) or headers.get("In-Reply-To"),
        references=text(mail.get("references")) or headers.get("References"),
        status="received",
        occurred_at=_time(mail.get("timestamp")),
        undecoded=damaged,
        headers=headers_of(whole) if whole is not None else {},
    )
    found = received(one, request, fact_id("postal", "mail", message_id, to))
    return keep_rest(found, {key: value for key, value in mail.items() if not key.startswith("attachments[")}, _HELD)


def _time(value: Any) -> Any:
    """Return the time of seconds with a fraction; in a form they are text."""
    if isinstance(value, str) and len(value) <= 24:
        try:
            value = float(value)
        except ValueError:
            return None
    return from_unix(value)


def _of_fields(mail: dict[str, Any]) -> dict[str, Any]:
    fields = (("subject", "subject"), ("text", "plain_body"), ("html", "html_body"))
    content: dict[str, Any] = {key: value for key, name in fields if (value := text(mail.get(name)))}
    files = [item for item in list_of(mail.get("attachments"))[:MOST_MEDIA] if isinstance(item, dict)]
    media = [
        media_of(
            text(item.get("filename")), text(item.get("content_type")), None, base64_of(text(item.get("data")) or "")
        )
        if item.get("data")
        else media_of(text(item.get("filename")), text(item.get("content_type")), None)
        for item in files
    ]
    return content | {"media": media} if media else content


def _whole(data: Any, request: Request) -> Message | None:
    if not isinstance(data, str) or not data:
        return None
    try:
        return mail_of(b64decode(data), request)
    except (Base64Error, ValueError) as error:
        raise Unprocessable("the raw message is not base64") from error


def _of_mail(mail: Message, damaged: list[dict[str, Any]]) -> dict[str, Any]:
    subject = word(mail, "Subject")
    return ({"subject": subject} if subject else {}) | content_of(mail, damaged)
