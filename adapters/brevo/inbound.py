"""Reads inbound mail as Brevo parsed it: https://developers.brevo.com/docs/inbound-parse-webhooks.

`SentAtDate` is of the sender's clock; Brevo gives no time of its own.
"""

from typing import Any
from urllib.parse import quote

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.mailboxes import formatted
from adapters.reading.mime import MOST_MEDIA, media_of
from adapters.reading.shapes import list_of, object_of
from schemas.events import Event

#: URL of an attachment, to be fetched with the API key.
ATTACHMENTS = "https://api.brevo.com/v3/inbound/attachments/"
_TEXTS = (
    ("text", "RawTextBody"),
    ("html", "RawHtmlBody"),
    ("strippedText", "ExtractedMarkdownMessage"),
    ("subject", "Subject"),
)


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has no sender."""
    get = item.get
    sender = object_of(get("From"))
    address = text(sender.get("Address"))
    if address is None:
        raise Unprocessable("a mail without a sender")
    recipients = recipients_of(list_of(get("Recipients"))) or recipients_of(list_of(get("To")))
    content: dict[str, Any] = {key: value for key, name in _TEXTS if (value := text(get(name)))}
    files = [file for file in list_of(get("Attachments"))[:MOST_MEDIA] if isinstance(file, dict)]
    if files:
        content["media"] = [_file(file) for file in files]
    headers = {name.lower(): value for name, value in object_of(get("Headers")).items()}
    # One id per recipient, in the same order in each retry.
    ids = [one for one in list_of(get("Uuid")) if isinstance(one, str)][:100]
    one = InboundMail(
        sender=formatted(text(sender.get("Name")), address),
        recipients=[to for _, to in recipients[:100]],
        content=content,
        provider_id=None if not ids else identifier(ids[0]) if len(ids) == 1 else fact_id(*ids),
        message_id=get("MessageId"),
        in_reply_to=get("InReplyTo"),
        references=_one(headers.get("references")),
        date=text(get("SentAtDate")),
        files=[f"{file.get('Name')} {file.get('ContentLength')}" for file in files],
        headers=headers,
        found={key: get(key) for key in ("Cc", "ReplyTo", "SpamScore")},
    )
    return received(one, request, fact_id("mail", *ids) if ids else None)


def _one(value: Any) -> Any:
    """Return a header's value, the first if it is a list."""
    return value[0] if isinstance(value, list) and value else value


def _file(file: dict[str, Any]) -> dict[str, str]:
    token = text(file.get("DownloadToken"))
    address = {"url": f"{ATTACHMENTS}{quote(token, safe='')}"} if token and len(token) <= 2000 else {}
    return media_of(file.get("Name"), file.get("ContentType"), file.get("ContentID")) | address
