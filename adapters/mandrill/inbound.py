"""Reads Mandrill's inbound messages: mail that it has parsed.

https://mailchimp.com/developer/transactional/docs/webhooks/#inbound-messages
"""

from hashlib import blake2b
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, text
from adapters.reading.mime import bare_id
from adapters.reading.shapes import object_of
from adapters.reading.times import from_unix
from schemas.events import Event

_MOST_MEDIA = 100


def received(msg: dict[str, Any], item: dict[str, Any], request: Request) -> Event:
    """Return the event of a mail: …/docs/webhooks/#inbound-messages. It has no id of Mandrill's. Raises
    Unprocessable."""
    headers = {key.lower(): value for key, value in object_of(msg.get("headers")).items()}
    message_id, replied_to = (_word(headers.get(name)) for name in ("message-id", "in-reply-to"))
    email, address = text(msg.get("email")), text(msg.get("from_email"))
    if address is None and message_id is None:
        raise Unprocessable("a mail with neither a sender nor a Message-ID")
    customer = handle(address, "email")
    content: dict[str, Any] = {key: value for key in ("subject", "text", "html") if (value := text(msg.get(key)))}
    media: list[dict[str, str]] = []
    for part in (*object_of(msg.get("attachments")).values(), *object_of(msg.get("images")).values()):
        if isinstance(part, dict) and len(media) < _MOST_MEDIA:
            given = (("type", "type", 255), ("name", "name", 1024))
            media.append({key: value[:most] for key, name, most in given if (value := text(part.get(name)))})
    if media:
        content["media"] = media
    fields = (
        ("from", customer.value if customer else address),
        ("to", email),
        ("displayName", text(msg.get("from_name"))),
        ("inReplyTo", replied_to),
    )
    payload: dict[str, Any] = {"providerStatus": "inbound"}
    payload |= {key: value[:1024] for key, value in fields if value}
    if content:
        payload["content"] = content
    raw = blake2b((text(msg.get("raw_msg")) or "").encode("utf-8", "replace")).hexdigest()
    known_by = message_id or f"{raw} {text(item.get('ts'))}"
    return Event(
        "MessageReceived",
        request.source,
        fact_id("mail", known_by, email),
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(item.get("ts")),
        payload=payload,
    )


def _word(value: Any) -> str | None:
    first = value[0] if isinstance(value, list) and value else value
    return bare_id(first)
