"""Reads inbound mail as a relay webhook posts it: https://developers.sparkpost.com/api/relay-webhooks/.

It has no id and no time of SparkPost's; its Message-ID and its recipient identify it.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, text
from adapters.reading.mime import bare_id, content_of, decode_text, mail_of, mailbox_of
from adapters.reading.shapes import list_of, object_of
from schemas.events import Event

_TEXTS = (("text", "text"), ("html", "html"), ("subject", "subject"))


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if it has no sender."""
    given = object_of(item.get("content"))
    headers = _headers(given.get("headers"))
    from_ = headers.get("from") or text(item.get("friendly_from")) or text(item.get("msg_from"))
    if from_ is None:
        raise Unprocessable("a mail without a sender")
    name, address = mailbox_of(decode_text(from_))
    sender = handle(address, "email") or handle(item.get("friendly_from"), "email")
    recipient, message_id = text(item.get("rcpt_to")), bare_id(headers.get("message-id"))
    content = content_of(mail_of(_raw(given), request))
    content |= {key: value for key, named in _TEXTS if (value := text(given.get(named)))}
    payload: dict[str, Any] = {"content": content} if content else {}
    payload["from"] = sender.value if sender else from_
    rest = (("to", recipient), ("displayName", name[:1024]), ("inReplyTo", bare_id(headers.get("in-reply-to"))))
    payload |= {key: value for key, value in rest if value}
    known_by = message_id or fact_id(from_, headers.get("date"), text(given.get("subject")), text(given.get("text")))
    return Event(
        "MessageReceived",
        request.source,
        fact_id("mail", known_by, recipient),
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=sender,
        payload=payload,
    )


def _headers(pairs: Any) -> dict[str, str]:
    """Return the headers by their lower-case names, the first of each; they come as objects of one key each."""
    found: dict[str, str] = {}
    for pair in list_of(pairs)[:1000]:
        for name, value in object_of(pair).items():
            if isinstance(value, str):
                found.setdefault(name.lower(), value)
    return found


def _raw(content: dict[str, Any]) -> bytes:
    """Return the whole mail, which has the names of its attachments; it is empty if its base64 is invalid."""
    data = (text(content.get("email_rfc822")) or "").encode("utf-8", "replace")
    if content.get("email_rfc822_is_base64") is not True:
        return data
    try:
        return b64decode(data)
    except (Base64Error, ValueError):
        return b""
