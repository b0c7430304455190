"""Reads inbound mail that a receipt rule published:
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html.

If the rule's action is SNS, `content` is the mail; if it is S3, the record names the object that holds the mail.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import quote

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.inbound_mail import InboundMail, headers_of, received
from adapters.reading.mime import content_of, mail_of
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from schemas.events import Event

#: What SES found: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
_VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
_THREADS = ("message-id", "in-reply-to", "references")


def event(record: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has neither an id nor a sender."""
    mail, receipt = object_of(record.get("mail")), object_of(record.get("receipt"))
    common, action = object_of(mail.get("commonHeaders")), object_of(receipt.get("action"))
    message_id = identifier(mail.get("messageId"))
    written = text(next(iter(list_of(common.get("from"))), None)) or text(mail.get("source")) or ""
    if message_id is None and not written:
        raise Unprocessable("a mail without an id and a sender")
    headers = _headers(mail.get("headers"))
    content: dict[str, Any] = {}
    damaged: list[dict[str, Any]] = []
    if (raw := text(record.get("content"))) is not None:
        parsed = mail_of(_raw(raw, action), request)
        content = content_of(parsed, damaged)
        headers |= headers_of(parsed, _THREADS)
    elif (bucket := text(action.get("bucketName"))) and (key := text(action.get("objectKey"))):
        content["media"] = [{"type": "message/rfc822", "url": f"s3://{bucket}/{quote(key)}"[:8192]}]
    if subject := text(common.get("subject")):
        content["subject"] = subject
    recipients = recipients_of(list_of(receipt.get("recipients")) or list_of(mail.get("destination")))
    one = InboundMail(
        sender=written,
        envelope_sender=mail.get("source"),
        recipients=[address for _, address in recipients[:100]],
        content=content,
        provider_id=message_id,
        message_id=text(common.get("messageId")) or headers.get("message-id"),
        in_reply_to=headers.get("in-reply-to"),
        references=headers.get("references"),
        date=text(common.get("date")),
        occurred_at=from_text(mail.get("timestamp")),
        undecoded=damaged,
        headers=headers,
        found={"verdicts": _verdicts(receipt)},
    )
    # Each action of a receipt rule publishes the mail anew, with another content, and each rule for its own recipients.
    published = text(action.get("type")), text(action.get("objectKey")), ", ".join(one.recipients)
    at = text(mail.get("timestamp"))
    return received(one, request, fact_id("ses", "Received", message_id, written, at, *published))


def _verdicts(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return the state of each of SES's verdicts."""
    return {name: state for name in _VERDICTS if (state := object_of(receipt.get(name)).get("status"))}


def _headers(items: Any) -> dict[str, str]:
    """Return the mail's headers by their lower-case names, the first of each."""
    found: dict[str, str] = {}
    for item in list_of(items)[:1000]:
        name, value = object_of(item).get("name"), object_of(item).get("value")
        if isinstance(name, str) and isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found


def _raw(content: str, action: dict[str, Any]) -> bytes:
    """Return the mail's bytes, decoded if the rule encodes them in base64."""
    data = content.encode("utf-8", "replace")
    if text(action.get("encoding")) != "BASE64":
        return data
    try:
        return b64decode(data)
    except (Base64Error, ValueError):
        return data
