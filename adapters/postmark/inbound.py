"""Reads inbound mail as Postmark parses it: https://postmarkapp.com/developer/webhooks/inbound-webhook.

Its `Date` is the sender's; Postmark gives no time of its own.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.mime import MOST_MEDIA, bare_id, media_of
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
    message_id = identifier(get("MessageID"))
    to = text(get("OriginalRecipient")) or text(get("To"))
    content: dict[str, Any] = {key: value for key, name in _TEXTS if (value := text(get(name)))}
    files = [file for file in list_of(get("Attachments"))[:MOST_MEDIA] if isinstance(file, dict)]
    if files:
        content["media"] = [
            media_of(file.get("Name"), file.get("ContentType"), file.get("ContentID")) for file in files
        ]
    payload: dict[str, Any] = {"content": content} if content else {}
    customer = handle(address, "email")
    payload["from"] = customer.value if customer else address
    if to:
        payload["to"] = to
    if name := text(sender.get("Name")):
        payload["displayName"] = name[:1024]
    if replied_to := bare_id(headers.get("in-reply-to")):
        payload["inReplyTo"] = replied_to
    known_by = message_id or fact_id("mail", bare_id(headers.get("message-id")), address, to, text(get("Date")))
    return Event(
        "MessageReceived",
        request.source,
        known_by,
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        payload=payload,
    )
