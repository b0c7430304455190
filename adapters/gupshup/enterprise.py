"""Reads what comes in by WhatsApp from Gupshup's enterprise API: a form, or an object, with `waNumber` and `mobile`.

No public page of Gupshup's shows it; the fields are those that its users read
(https://github.com/glific/glific, the controllers of gupshup_enterprise). A part other than text is JSON in a text.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import phone
from adapters.reading.bodies import form_of, is_form, json_of, parse_json
from adapters.reading.facts import fact_id, identifier, place_of, text
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import object_of
from adapters.reading.times import from_unix_or_millis
from schemas.events import Event

#: Kinds of a message (`type`) that have a file, with its address and its caption in the part of that name.
_FILES = frozenset({"image", "document", "voice", "audio", "video", "sticker"})
_READ = frozenset({"type", "version", "waNumber", "mobile", "timestamp"})


def is_one(request: Request) -> bool:
    """Return whether the request is such a message, by the names of its fields."""
    head = request.body[:4096]
    form = b"waNumber=" in head and b"mobile=" in head
    return form or (b'"waNumber"' in head and b'"mobile"' in head)


def event(request: Request) -> Event:
    """Return the event of the message. Raises Unprocessable if it has no id."""
    item = dict(form_of(request)) if is_form(request) else json_of(request)
    message_id = identifier(item.get("messageId") or item.get("replyId")) if isinstance(item, dict) else None
    if message_id is None:
        raise Unprocessable("a message without its messageId")
    customer, ours = phone(item.get("mobile")), phone(item.get("waNumber"))
    payload: dict[str, Any] = {"providerStatus": (text(item.get("type")) or "")[:255]}
    for key, found in (("from", customer), ("to", ours)):
        if found is not None:
            payload[key] = found.value
    if name := text(item.get("name")):
        payload["displayName"] = name
    if content := _content(item):
        payload["content"] = content
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("enterprise", message_id),
        channel="whatsapp",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix_or_millis(item.get("timestamp")),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


def _content(item: dict[str, Any]) -> dict[str, Any]:
    kind = (text(item.get("type")) or "").lower()
    if words := text(item.get("text")):
        return {"text": words}
    part = _part(item.get(kind))
    if kind == "location":
        return place_of(part)
    content: dict[str, Any] = {}
    if kind in _FILES and (url := text(part.get("url"))):
        # The address is completed by a signature of its own.
        media = {"url": f"{url}{text(part.get('signature')) or ''}"[:8192]}
        content["media"] = [media | ({"type": mime[:255]} if (mime := text(part.get("mime_type"))) else {})]
    if caption := text(part.get("caption")):
        content["text"] = caption
    return content


def _part(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = parse_json(value.encode("utf-8", "replace"))
        except Unprocessable:
            return {}
    return object_of(value)
