"""Mail that Postal hands to an HTTP endpoint: as JSON or a form, taken apart ("processed") or whole ("raw").

https://docs.postalserver.io/developer/http-payloads
"""

from base64 import b64decode
from binascii import Error as Base64Error
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr
from typing import Any

from adapters.addresses import handle
from adapters.base import Request, Unprocessable
from adapters.bodies import form_of
from adapters.charsets import decode
from adapters.facts import fact_id, identifier, text, unknown
from adapters.mime import bare_id
from adapters.times import from_unix
from schemas.events import Event

_MOST_MEDIA = 100


def is_form(request: Request) -> bool:
    """Whether the endpoint is one of form data."""
    return request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


def of_form(request: Request) -> dict[str, Any]:
    """The form as the JSON would have it. Raises Unprocessable."""
    fields: dict[str, Any] = dict(form_of(request))
    attachments: list[dict[str, str]] = []
    for index in range(_MOST_MEDIA):
        if (name := fields.get(f"attachments[{index}][filename]")) is None:
            break
        attachments.append({"filename": name, "content_type": fields.get(f"attachments[{index}][content_type]", "")})
    return fields | {"attachments": attachments, "bounce": fields.get("bounce") == "true"}


def event(mail: dict[str, Any], request: Request) -> Event:
    """The mail. Raises Unprocessable where it is none."""
    message_id, to = identifier(mail.get("id")), text(mail.get("rcpt_to"))
    if message_id is None or to is None:
        raise Unprocessable("a mail without an id or a recipient")
    whole = _whole(mail.get("message"))
    name, address = parseaddr(text(mail.get("from")) or (_word(whole, "From") if whole is not None else ""))
    sender = handle(address, "email") or handle(mail.get("mail_from"), "email")
    if mail.get("bounce") is True:
        # A report on a mail of ours, not what a customer says.
        found = unknown(request, mail, status="bounce", event_id=fact_id("postal", "bounce", message_id, to))
        found.channel, found.direction, found.provider_message_id = "email", "inbound", message_id
        found.occurred_at = from_unix(mail.get("timestamp"))
        return found
    content = _of_mail(whole) if whole is not None else _of_fields(mail)
    payload: dict[str, Any] = {"providerStatus": "received", "to": to[:2048]}
    if sender is not None:
        payload["from"] = sender.value
    if name:
        payload["displayName"] = name[:1024]
    replied_to = text(mail.get("in_reply_to")) or (_word(whole, "In-Reply-To") if whole is not None else None)
    if replied_to := bare_id(replied_to):
        payload["inReplyTo"] = replied_to
    if content:
        payload["content"] = content
    return Event(
        "MessageReceived",
        request.source,
        fact_id("postal", "mail", message_id, to),
        "email",
        "inbound",
        message_id,
        None,
        sender,
        _time(mail.get("timestamp")),
        None,
        payload,
    )


def _time(value: Any) -> Any:
    """Seconds with a fraction; in a form they are text."""
    if isinstance(value, str) and len(value) <= 24:
        try:
            value = float(value)
        except ValueError:
            return None
    return from_unix(value)


def _of_fields(mail: dict[str, Any]) -> dict[str, Any]:
    told = (("subject", "subject"), ("text", "plain_body"), ("html", "html_body"))
    content: dict[str, Any] = {key: value for key, name in told if (value := text(mail.get(name)))}
    attachments = mail.get("attachments")
    given = (("type", "content_type", 255), ("name", "filename", 1024))
    media = [
        {key: value[:most] for key, name, most in given if (value := text(item.get(name)))}
        for item in (attachments[:_MOST_MEDIA] if isinstance(attachments, list) else [])
        if isinstance(item, dict)
    ]
    return content | {"media": media} if media else content


def _whole(data: Any) -> Message | None:
    if not isinstance(data, str) or not data:
        return None
    try:
        return message_from_bytes(b64decode(data))
    except (Base64Error, ValueError) as error:
        raise Unprocessable("the raw message is not base64") from error


def _of_mail(mail: Message) -> dict[str, Any]:
    """The subject, the first plain text, the first HTML, and the names of the rest."""
    content: dict[str, Any] = {}
    if subject := _word(mail, "Subject"):
        content["subject"] = subject
    media: list[dict[str, str]] = []
    for part in mail.walk():
        if part.is_multipart():
            continue
        kind, filename = part.get_content_type(), part.get_filename()
        key = {"text/plain": "text", "text/html": "html"}.get(kind)
        if key is not None and filename is None and key not in content:
            data = part.get_payload(decode=True)
            if isinstance(data, bytes) and data:
                content[key] = decode(data, part.get_content_charset())
        elif len(media) < _MOST_MEDIA:
            media.append({"type": kind[:255]} | ({"name": _readable(filename)[:1024]} if filename else {}))
    return content | {"media": media} if media else content


def _word(mail: Message, name: str) -> str:
    value = mail.get(name)
    return _readable(value).replace("\r", "").replace("\n", "") if value is not None else ""


def _readable(value: Any) -> str:
    """A header's value with its encoded words (RFC 2047) read."""
    said = decode(str(value).encode("utf-8", "replace"))
    if "=?" not in said:
        return said
    try:
        words = decode_header(said)
    except ValueError:
        return said
    return "".join([decode(word, charset) if isinstance(word, bytes) else word for word, charset in words])
