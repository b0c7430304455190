"""Reads the Messages API's webhooks: statuses of messages (`status`), and inbound messages.

https://developer.vonage.com/en/messages/concepts/messages-status-callbacks, https://developer.vonage.com/en/api/messages.
Version v0.1, which an account may still be set to, has objects for addresses and one for the content.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import dialled, of_kind
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.prices import price_of
from adapters.reading.times import from_text
from adapters.vonage.content import CONTENTS, part_of
from adapters.vonage.errors import messages_error
from schemas.events import Event, Handle

Item = dict[str, Any]

#: …/concepts/messages-status-callbacks. `undeliverable`: the channel's provider could not be reached, and there is
#: no retry.
STATUSES: dict[str, str] = {
    "submitted": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "rejected": "MessageFailed",
    "undeliverable": "MessageFailed",
}
#: …/api/messages: `channel`, or the address's `type` in v0.1.
MESSAGE_CHANNELS: dict[str, str] = {
    "sms": "sms",
    "mms": "sms",
    "rcs": "rcs",
    "whatsapp": "whatsapp",
    "messenger": "chat",
    "viber_service": "chat",
    "viber_service_msg": "chat",
}


def event(item: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable if there is no id."""
    message_id = identifier(item.get("message_uuid"))
    if message_id is None:
        raise Unprocessable("a message without its message_uuid")
    return _status(item, message_id, request) if "status" in item else _message(item, message_id, request)


def _status(item: Item, message_id: str, request: Request) -> Event:
    status = (text(item.get("status")) or "").lower()
    type_ = STATUSES.get(status, "ProviderEventReceived")
    kind = _kind(item)
    customer, payload = _address(item.get("to"), kind), _payload(item, status, kind)
    payload |= _identities(part_of(part_of(item, "whatsapp"), "recipient"), customer)
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if reference := text(item.get("client_ref")):
        payload["reference"] = reference[:1024]
    if network := text(part_of(item, "destination").get("network_code")):
        payload["carrier"] = network[:255]
    if (segments := count(part_of(item, "sms").get("count_total"))) is not None:
        payload["segments"] = segments
    origin = part_of(part_of(part_of(item, "whatsapp"), "conversation"), "origin")
    if category := text(origin.get("type")):
        payload["pricingCategory"] = category[:255]
    return Event(
        type_,
        request.source,
        fact_id("status", message_id, status, text(item.get("timestamp"))),
        channel=MESSAGE_CHANNELS.get(kind),
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("timestamp")),
        error=messages_error(item.get("error")) if type_ == "MessageFailed" else None,
        payload=payload,
    )


def _message(item: Item, message_id: str, request: Request) -> Event:
    kind = _kind(item)
    part = part_of(part_of(item, "message"), "content") or item
    word = text(part.get("message_type")) or text(part.get("type")) or ""
    customer, payload = _address(item.get("from"), kind), _payload(item, word, kind)
    payload |= _identities(part_of(part_of(item, "whatsapp"), "sender"), customer)
    read = CONTENTS.get(word)
    if read is None:
        payload["native"] = unknown(request, item).payload["native"]
    elif content := read(part, word):
        if isinstance(referral := part_of(item, "whatsapp").get("referral"), dict):
            content["referral"] = referral  # the advertisement or post that the conversation began with
        payload["content"] = content
    if name := text(part_of(item, "profile").get("name")):
        payload["displayName"] = name
    if replied_to := text(part_of(item, "context").get("message_uuid")):
        payload["inReplyTo"] = replied_to
    if (segments := count(part_of(item, "sms").get("num_messages"))) is not None:
        payload["segments"] = segments
    return Event(
        "MessageReceived" if read is not None else "ProviderEventReceived",
        request.source,
        fact_id("message", message_id),
        channel=MESSAGE_CHANNELS.get(kind),
        # Without the word of a kind it may be about a message of ours.
        direction="inbound" if word else None,
        provider_message_id=message_id,
        handle=customer if word else None,
        occurred_at=from_text(item.get("timestamp")),
        payload=payload,
    )


def _identities(person: Item, customer: Handle | None) -> Item:
    """Return the other handles that WhatsApp knows the person by, as the payload's `handles`:
    …/messages/guides/handling-whatsapp-usernames-and-bsuids."""
    known = (dialled(person.get("wa_id"), "whatsapp"), of_kind("whatsapp_user_id", person.get("user_id")))
    others = [{"kind": one.kind, "value": one.value} for one in known if one is not None and one != customer]
    return {"handles": others} if others and customer is not None else {}


def _kind(item: Item) -> str:
    return text(item.get("channel")) or text(part_of(item, "to").get("type")) or ""


def _address(value: Any, kind: str) -> Handle | None:
    """Return the handle of an address: text in v1, an object with `number` or `id` in v0.1."""
    address = value.get("number") or value.get("id") if isinstance(value, dict) else value
    if kind == "messenger":
        return of_kind("chat_id", f"messenger:{address}") if isinstance(address, str) and address else None
    return dialled(address, MESSAGE_CHANNELS.get(kind, "sms"))


def _payload(item: Item, status: str, kind: str) -> Item:
    payload: Item = {"providerStatus": status[:255]} if status else {}
    for key in ("from", "to"):
        if (found := _address(item.get(key), kind)) is not None:
            payload[key] = found.value
    usage = part_of(item, "usage")
    if price := price_of(usage.get("price"), usage.get("currency")):
        payload["price"] = price
    return payload
