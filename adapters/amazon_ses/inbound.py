"""Reads inbound mail that a receipt rule published: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html.

If the rule's action is SNS, `content` is the mail; if it is S3, the record names the object that holds the mail.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any
from urllib.parse import quote

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.mime import bare_id, content_of, mail_of, mailbox_of, word
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from schemas.events import Event


def event(record: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has neither an id nor a sender."""
    mail, receipt = object_of(record.get("mail")), object_of(record.get("receipt"))
    common, action = object_of(mail.get("commonHeaders")), object_of(receipt.get("action"))
    message_id = identifier(mail.get("messageId"))
    written = text(next(iter(list_of(common.get("from"))), None)) or text(mail.get("source")) or ""
    if message_id is None and not written:
        raise Unprocessable("a mail without an id and a sender")
    name, address = mailbox_of(written)
    sender = handle(address, "email") or handle(mail.get("source"), "email")
    content: dict[str, Any] = {}
    replied_to = None
    if (raw := text(record.get("content"))) is not None:
        parsed = mail_of(_raw(raw, action), request)
        content, replied_to = content_of(parsed), bare_id(word(parsed, "In-Reply-To"))
    elif (bucket := text(action.get("bucketName"))) and (key := text(action.get("objectKey"))):
        content["media"] = [{"type": "message/rfc822", "url": f"s3://{bucket}/{quote(key)}"[:8192]}]
    if subject := text(common.get("subject")):
        content["subject"] = subject
    recipients = [one for one in list_of(receipt.get("recipients")) or list_of(mail.get("destination")) if text(one)]
    payload: dict[str, Any] = {"content": content} if content else {}
    payload["from"] = sender.value if sender else written
    if recipients:
        payload["to"] = ", ".join(map(str, recipients[:100]))
    if name:
        payload["displayName"] = name[:1024]
    if replied_to:
        payload["inReplyTo"] = replied_to
    return Event(
        "MessageReceived",
        request.source,
        fact_id("ses", "Received", message_id, written, text(mail.get("timestamp"))),
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=sender,
        occurred_at=from_text(mail.get("timestamp")),
        payload=payload,
    )


def _raw(content: str, action: dict[str, Any]) -> bytes:
    """Return the mail's bytes, decoded if the rule encodes them in base64."""
    data = content.encode("utf-8", "replace")
    if text(action.get("encoding")) != "BASE64":
        return data
    try:
        return b64decode(data)
    except (Base64Error, ValueError):
        return data
