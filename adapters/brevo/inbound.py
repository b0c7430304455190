"""Reads inbound mail as Brevo parsed it: https://developers.brevo.com/docs/inbound-parse-webhooks.

`SentAtDate` is of the sender's clock; Brevo gives no time of its own.
"""

from typing import Any
from urllib.parse import quote

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, text
from adapters.reading.mime import MOST_MEDIA, bare_id, media_of
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
    message_id, customer = bare_id(get("MessageId")), handle(address, "email")
    recipients = [one for one in list_of(get("Recipients")) if isinstance(one, str) and one]
    if not recipients:
        recipients = [to for one in list_of(get("To")) if (to := text(object_of(one).get("Address")))]
    content: dict[str, Any] = {key: value for key, name in _TEXTS if (value := text(get(name)))}
    if files := [_file(file) for file in list_of(get("Attachments"))[:MOST_MEDIA] if isinstance(file, dict)]:
        content["media"] = files
    payload: dict[str, Any] = {"content": content} if content else {}
    payload["from"] = customer.value if customer else address
    if recipients:
        payload["to"] = ", ".join(recipients[:100])
    if name := text(sender.get("Name")):
        payload["displayName"] = name[:1024]
    if replied_to := bare_id(get("InReplyTo")):
        payload["inReplyTo"] = replied_to
    # One id per recipient, in the same order in each retry.
    ids = [one for one in list_of(get("Uuid")) if isinstance(one, str)][:100]
    known_by = ids or [message_id or fact_id(text(get("SentAtDate")), text(get("RawTextBody"))), address, *recipients]
    return Event(
        "MessageReceived",
        request.source,
        fact_id("mail", *known_by),
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        payload=payload,
    )


def _file(file: dict[str, Any]) -> dict[str, str]:
    token = text(file.get("DownloadToken"))
    address = {"url": f"{ATTACHMENTS}{quote(token, safe='')}"} if token and len(token) <= 2000 else {}
    return media_of(file.get("Name"), file.get("ContentType"), file.get("ContentID")) | address
