"""Reads Infobip's inbound messages: SMS (`text`), MMS (a list `message`) and WhatsApp (an object, by its type).

https://www.infobip.com/docs/api/channels/sms/inbound-sms/receive-inbound-sms-messages,
…/channels/mms/receive-mms/receive-inbound-mms-messages (the renderer MO_MMS_2),
…/channels/whatsapp/whatsapp-inbound-messages/receive-whatsapp-inbound-messages; the types follow Infobip's own library,
https://github.com/infobip/infobip-api-java-client (WhatsAppWebhookInboundMessage).
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.infobip.reports import cost
from adapters.reading.addresses import dialled, of_kind
from adapters.reading.facts import count, fact_id, identifier, location, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from schemas.events import Event, Handle

#: Keys of a message that say nothing beside what its event has.
_READ = frozenset({"messageId", "from", "to", "receivedAt", "price", "smsCount", "messageCount", "callbackData"})

Item = dict[str, Any]
Content = dict[str, Any]
#: Parts of one MMS that are read.
_MOST = 100


def event(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of an inbound message. Raises Unprocessable if it has no id."""
    message_id = identifier(item.get("messageId"))
    if message_id is None:
        raise Unprocessable("a message without its messageId")
    message = item.get("message")
    if isinstance(message, dict):
        return _written(item, message, message_id, url_channel or "whatsapp", request)
    channel = url_channel or "sms"
    payload = _payload(item, channel)
    words = text(item.get("text"))
    content: Content = {"text": words} if words is not None else {}
    if content := _parts(message) if isinstance(message, list) else content:
        payload["content"] = content
    else:
        payload["native"] = unknown(request, item).payload["native"]
    if (segments := count(item.get("smsCount", item.get("messageCount")))) is not None and channel == "sms":
        payload["segments"] = segments
    type_ = "MessageReceived" if content else "ProviderEventReceived"
    return _made(type_, item, message_id, channel, dialled(item.get("from"), channel), payload, request)


def _written(item: Item, message: Item, message_id: str, channel: str, request: Request) -> Event:
    word = (text(message.get("type")) or "").upper()
    nested = item.get("contact")
    contact: Item = nested if isinstance(nested, dict) else {}
    customer, others = _customer(item, contact, channel)
    payload = _payload(item, channel)
    if word:
        payload["providerStatus"] = word[:255]
    if customer is not None:
        payload["from"] = customer.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    for key, name in (("displayName", "name"), ("username", "username")):
        if value := text(contact.get(name)):
            payload[key] = value[:1024]
    context = message.get("context") or item.get("context")
    if isinstance(context, dict) and (replied_to := text(context.get("id"))):
        payload["inReplyTo"] = replied_to
    read = CONTENTS.get(word)
    if read is None:
        payload["native"] = unknown(request, item).payload["native"]
    elif content := read(message):
        payload["content"] = content
    type_ = "MessageReceived" if read is not None else "ProviderEventReceived"
    return keep_rest(_made(type_, item, message_id, channel, customer, payload, request), item, _READ)


def _made(
    type_: str,
    item: Item,
    message_id: str,
    channel: str | None,
    customer: Handle | None,
    payload: Item,
    request: Request,
) -> Event:
    return Event(
        type_,
        request.source,
        fact_id("message", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("receivedAt")),
        payload=payload,
    )


def _payload(item: Item, channel: str | None) -> Item:
    payload: Item = {}
    for key in ("from", "to"):
        if (found := dialled(item.get(key), channel)) is not None:
            payload[key] = found.value
    if reference := text(item.get("callbackData")):
        payload["reference"] = reference[:1024]
    if (price := cost(item)) is not None:
        payload["price"] = price
    return payload


def _customer(item: Item, contact: Item, channel: str) -> tuple[Handle | None, list[Handle]]:
    """Return the customer's handle (the number, or else WhatsApp's user id), and the other one if both are known."""
    first = dialled(item.get("from") or contact.get("phoneNumber"), channel)
    second = of_kind("whatsapp_user_id", contact.get("userId"))
    if first is None or second is None or first.value == second.value:
        return first or second, []
    return first, [second]


def _parts(parts: list[Any]) -> Content:
    """Return the content of an MMS: its texts, joined by line ends, and its media. A SMIL part only arranges the others."""
    texts: list[str] = []
    media: list[Item] = []
    for part in [one for one in parts[:_MOST] if isinstance(one, dict)]:
        kind, words, url = text(part.get("contentType")) or "", text(part.get("value")), text(part.get("url"))
        if words is not None and kind.startswith("text/"):
            texts.append(words)
        elif url is not None:
            media.append({"url": url} | ({"type": kind[:255]} if kind else {}))
    return ({"text": "\n".join(texts)} if texts else {}) | ({"media": media} if media else {})


def _text(part: Item) -> Content:
    content: Content = {"text": words} if (words := text(part.get("text"))) else {}
    if isinstance(referral := part.get("referral"), dict):
        content["referral"] = referral  # the advertisement or post that started it
    return content


def _media(part: Item) -> Content:
    url = text(part.get("url"))
    content: Content = {"media": [{"url": url}]} if url else {}
    if caption := text(part.get("caption")):
        content["text"] = caption
    return content


def _audio(part: Item) -> Content:
    content = _media(part)
    if url := text(part.get("url")):
        content["audioUrl"] = url
    return content


def _location(part: Item) -> Content:
    name = text(part.get("name")) or text(part.get("address"))
    return {"location": place} if (place := location(part.get("latitude"), part.get("longitude"), name)) else {}


def _contact(part: Item) -> Content:
    return {"contacts": part.get("contacts")} if isinstance(part.get("contacts"), list) else {}


def _chosen(part: Item) -> Content:
    """Read a chosen reply: `payload` and `text` from a template's button, `id` and `title` from other buttons and lists."""
    names = (("id", ("id", "payload")), ("title", ("title", "text")))
    reply = {key: value for key, (one, other) in names if (value := text(part.get(one)) or text(part.get(other)))}
    content: Content = {"buttonReply": reply} if reply else {}
    if title := reply.get("title"):
        content["text"] = title
    return content


def _whole(part: Item) -> Content:
    """Return a filled form, a payment or an order unchanged."""
    return {"interactive": {key: value for key, value in part.items() if key != "type"}}


def _nothing(part: Item) -> Content:
    """Return no content, for a message whose content Infobip withholds."""
    return {}


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "TEXT": _text,
    "IMAGE": _media,
    "VIDEO": _media,
    "DOCUMENT": _media,
    "STICKER": _media,
    "AUDIO": _audio,
    "VOICE": _audio,
    "LOCATION": _location,
    "CONTACT": _contact,
    "BUTTON": _chosen,
    "INTERACTIVE_BUTTON_REPLY": _chosen,
    "INTERACTIVE_LIST_REPLY": _chosen,
    "INTERACTIVE_FLOW_REPLY": _whole,
    "INTERACTIVE_PAYMENT_CONFIRMATION": _whole,
    "ORDER": _whole,
    "INFECTED_CONTENT": _nothing,
    "UNSUPPORTED": _nothing,
}
