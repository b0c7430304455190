"""Reads the Conversations API's webhooks: messages of WhatsApp and other platforms, created and updated.

https://developers.messagebird.com/api/conversations/#webhooks; the fields as in MessageBird's own library,
https://github.com/messagebird/go-rest-api/tree/master/conversation.
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.messagebird.errors import error_of
from adapters.reading.addresses import dialled, handle, of_kind
from adapters.reading.facts import fact_id, identifier, location, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from schemas.events import Event, Handle

Item = dict[str, Any]
Content = dict[str, Any]

#: `status` of a message that we sent (…/api/conversations/#message-object, and MessageBird's own library).
STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "pending": "MessageQueued",
    "transmitted": "UserMessageSent",
    "dispatched": "UserMessageSent",
    "sent": "UserMessageSent",
    "buffered": "MessageDelayed",
    "delayed": "MessageDelayed",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "failed": "MessageFailed",
    "delivery_failed": "MessageFailed",
    "expired": "MessageFailed",
    "bounce": "MessageBounced",
    "spam_complaint": "MessageComplained",
    "list_unsubscribe": "RecipientUnsubscribed",
    "rejected": "MessageRejected",
    "deleted": "ProviderEventReceived",
}
#: `platform`, and our channel; any other is a chat.
PLATFORMS: dict[str, str] = {
    "sms": "sms",
    "whatsapp": "whatsapp",
    "whatsapp_sandbox": "whatsapp",
    "email": "email",
}
_FAILED = frozenset({"MessageFailed", "MessageRejected", "MessageBounced", "MessageDelayed"})


def event(fields: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable if the message has no id."""
    message, kind = fields["message"], text(fields.get("type")) or ""
    get, message_id = message.get, identifier(message.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    way = text(get("direction")) or ""
    inbound, sent = way == "received", way == "sent"
    platform, status = (text(get("platform")) or "").lower(), (text(get("status")) or "").lower()
    channel = PLATFORMS.get(platform, "chat" if platform else None)
    customer = _customer(message, fields.get("contact"), platform, channel, inbound)
    payload: Item = {"providerStatus": status[:255]} if status else {}
    _add_addresses(payload, message, customer, inbound)
    source = get("source")
    ours = own_id(source.get(NAME)) if isinstance(source, dict) else None
    if isinstance(source, dict) and (reference := text(source.get("reference"))):
        payload["reference"] = reference[:1024]
    word = text(get("type")) or ""
    read = CONTENTS.get(word)
    if inbound:
        # Later changes of a message that we received concern the platform only.
        type_ = "MessageReceived" if kind == "message.created" and read is not None else "ProviderEventReceived"
        content, contact = get("content"), fields.get("contact")
        if read is not None and isinstance(content, dict) and (made := read(content, word)):
            payload["content"] = made
        if isinstance(contact, dict) and (name := text(contact.get("displayName"))):
            payload["displayName"] = name[:1024]
    else:
        type_ = STATUSES.get(status, "ProviderEventReceived") if sent else "ProviderEventReceived"
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, fields).payload["native"]
    quoted = object_of(object_of(object_of(get("content")).get("whatsappText")).get("context"))
    if replied_to := text(quoted.get("id")):
        payload["inReplyTo"] = replied_to
    when = text(get("createdDatetime") if kind == "message.created" else get("updatedDatetime"))
    error = get("error") if isinstance(get("error"), dict) else {}
    return Event(
        type_,
        request.source,
        fact_id("conversation", message_id, kind if inbound else None, status, when),
        channel=channel,
        direction="inbound" if inbound else "outbound" if sent else None,
        provider_message_id=message_id,
        echoed_message_id=ours,
        handle=customer if inbound or sent else None,
        occurred_at=from_text(when),
        error=error_of(error.get("code"), error.get("description"), status) if type_ in _FAILED else None,
        payload=payload,
    )


def _customer(message: Item, contact: Any, platform: str, channel: str | None, inbound: bool) -> Handle | None:
    """Return the handle of the contact's number, or of the message's other party."""
    address = message.get("from" if inbound else "to")
    number = contact.get("msisdn") if isinstance(contact, dict) else None
    if channel in ("sms", "whatsapp"):
        return dialled(text(number) or text(address), channel)
    if channel == "email":
        return handle(address, "email")
    chat = text(address)
    return of_kind("chat_id", f"{platform}:{chat}") if chat and platform else None


def _add_addresses(payload: Item, message: Item, customer: Handle | None, inbound: bool) -> None:
    theirs, ours = ("from", "to") if inbound else ("to", "from")
    if customer is not None:
        payload[theirs] = customer.value
    if number := text(message.get(ours)):
        found = dialled(number, "sms")
        payload[ours] = found.value if found is not None else number[:255]


def _text(content: Content, word: str) -> Content:
    return {"text": value} if (value := text(content.get("text"))) else {}


def _media(content: Content, word: str) -> Content:
    part = object_of(content.get(word))
    url = text(part.get("url")) or text(part.get("link"))
    made: Content = {"media": [{"url": url}]} if url else {}
    if caption := text(part.get("caption")):
        made["text"] = caption
    if url and word == "audio":
        made["audioUrl"] = url
    return made


def _location(content: Content, word: str) -> Content:
    part = object_of(content.get("location"))
    return {"location": place} if (place := location(part.get("latitude"), part.get("longitude"))) else {}


def _interactive(content: Content, word: str) -> Content:
    part = content.get("interactive")
    reply = part.get("reply") if isinstance(part, dict) else None
    if not isinstance(reply, dict):
        return {"interactive": part} if part is not None else {}
    chosen = {key: value for key, name in (("id", "id"), ("title", "text")) if (value := text(reply.get(name)))}
    made: Content = {"buttonReply": chosen}
    if title := chosen.get("title"):
        made["text"] = title
    return made


def _quoting(content: Content, word: str) -> Content:
    """Return the text of a message that refers to a catalogue or to another message."""
    quoted = object_of(object_of(content.get(word)).get("text"))
    return {"text": body} if (body := text(quoted.get("body"))) else {}


def _order(content: Content, word: str) -> Content:
    order = object_of(content.get(word))
    made: Content = {"order": order} if order else {}
    return made | ({"text": note} if (note := text(order.get("text"))) else {})


CONTENTS: dict[str, Callable[[Content, str], Content]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "audio": _media,
    "file": _media,
    "whatsappSticker": _media,
    "whatsappText": _quoting,
    "whatsappOrder": _order,
    "location": _location,
    "interactive": _interactive,
}
