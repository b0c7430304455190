"""Reads Infobip's inbound messages: SMS (`text`), MMS (a list `message`), WhatsApp, RCS and chats (an object `message`),
and all of these from the Messages API (a list `content`).

https://www.infobip.com/docs/api/channels/sms/inbound-sms/receive-inbound-sms-messages,
…/channels/mms/receive-mms/receive-inbound-mms-messages (the renderer MO_MMS_2),
…/channels/whatsapp/whatsapp-inbound-messages/receive-whatsapp-inbound-messages. RCS, Viber and the Messages API name
the customer `sender`, the Messages API the account `destination`.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.infobip.channels import channel_named, customer_of, ours_of, word_of
from adapters.infobip.content import content_of, mms
from adapters.infobip.content import word_of as type_of
from adapters.infobip.reports import cost
from adapters.reading.addresses import of_kind
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from schemas.events import Event, Handle

#: Keys of a message that add nothing to what its event has.
_READ = frozenset(
    "event messageId from sender to destination receivedAt price smsCount messageCount callbackData".split()
)

Item = dict[str, Any]


def event(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of an inbound message. Raises Unprocessable if it has no id."""
    message_id = identifier(item.get("messageId"))
    if message_id is None:
        raise Unprocessable("a message without its messageId")
    message = item.get("message")
    if isinstance(message, dict):
        return _written(item, [message], message_id, _channel(item, url_channel, "whatsapp"), request)
    if isinstance(item.get("content"), list):
        parts = [part for part in item["content"] if isinstance(part, dict)]
        return _written(item, parts, message_id, _channel(item, url_channel, None), request)
    channel = _channel(item, url_channel, "sms")
    payload = _payload(item, channel)
    words = text(item.get("text"))
    content: Item = mms(message) if isinstance(message, list) else {"text": words} if words is not None else {}
    if content:
        payload["content"] = content
    else:
        payload["native"] = unknown(request, item).payload["native"]
    type_ = "MessageReceived" if content else "ProviderEventReceived"
    return _made(type_, item, message_id, channel, _sender(item, channel), payload, request)


def deleted(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of a WhatsApp message that its writer deleted: `from` is the writer, `to` the account. Raises
    Unprocessable if it has no id."""
    message_id = identifier(item.get("messageId"))
    if message_id is None:
        raise Unprocessable("a deletion without its messageId")
    channel = _channel(item, url_channel, "whatsapp")
    found = _made("MessageDeleted", item, message_id, channel, _sender(item, channel), _payload(item, channel), request)
    found.source_event_id = fact_id("deleted", message_id)
    found.occurred_at = from_text(item.get("deletedAt"))
    return found


def other(item: Item, word: str, url_channel: str | None, request: Request) -> Event:
    """Return what a customer did that is no message, such as typing, kept whole."""
    found = unknown(request, item, status=word)
    found.channel = _channel(item, url_channel, None)
    found.direction, found.provider_message_id = "inbound", identifier(item.get("messageId"))
    found.handle, found.occurred_at = _sender(item, found.channel), from_text(item.get("receivedAt"))
    return found


def _written(item: Item, parts: list[Item], message_id: str, channel: str | None, request: Request) -> Event:
    contact = object_of(item.get("contact"))
    customer, others = _customer(item, contact, channel)
    payload = _payload(item, channel)
    if word := type_of(parts[0]) if parts else "":
        payload["providerStatus"] = word[:255]
    if customer is not None:
        payload["from"] = customer.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    for key, name in (("displayName", "name"), ("username", "username")):
        if value := text(contact.get(name)):
            payload[key] = value[:1024]
    context = next((found for one in (*parts, item) if (found := object_of(one.get("context")))), {})
    about = text(context.get("id")) or text(item.get("pairedMessageId"))
    content = content_of(parts)
    if about and content is not None and "reaction" in content:
        content["reaction"]["providerMessageId"] = about[:512]
    elif about:
        payload["inReplyTo"] = about[:2048]
    if content is None:
        payload["native"] = unknown(request, item).payload["native"]
    elif content:
        payload["content"] = content
    type_ = "MessageReceived" if content is not None else "ProviderEventReceived"
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


def _channel(item: Item, url_channel: str | None, default: str | None) -> str | None:
    """Return the channel that the message names; a word that is not of the tables is that of a chat service."""
    word = word_of(item)
    return channel_named(word) or ("chat" if word else url_channel or default)


def _sender(item: Item, channel: str | None) -> Handle | None:
    return customer_of(item.get("from") or item.get("sender"), word_of(item), channel)


def _payload(item: Item, channel: str | None) -> Item:
    payload: Item = {}
    if (customer := _sender(item, channel)) is not None:
        payload["from"] = customer.value
    if ours := ours_of(item.get("to") or item.get("destination"), word_of(item), channel):
        payload["to"] = ours
    if reference := text(item.get("callbackData")):
        payload["reference"] = reference[:1024]
    if (price := cost(item)) is not None:
        payload["price"] = price
    counts = [item, *[object_of(part) for part in list_of(item.get("content"))]]
    segments = next(
        (found for one in counts if (found := count(one.get("smsCount", one.get("messageCount")))) is not None), None
    )
    if segments is not None and channel == "sms":
        payload["segments"] = segments
    return payload


def _customer(item: Item, contact: Item, channel: str | None) -> tuple[Handle | None, list[Handle]]:
    """Return the customer's handle (the number, or else WhatsApp's user id), and the other one if both are known."""
    first = _sender(item, channel)
    if channel != "whatsapp":
        return first, []
    first = first or customer_of(contact.get("phoneNumber"), "", channel)
    second = of_kind("whatsapp_user_id", contact.get("userId"))
    if first is None or second is None or first.value == second.value:
        return first or second, []
    return first, [second]
