"""Reads the webhooks of Twilio Conversations, whose `EventType` says what happened, and of Conversation Orchestrator.

https://www.twilio.com/docs/conversations/conversations-webhooks,
https://www.twilio.com/docs/conversations/orchestrator/webhooks. `Source` says where a message was written: `SMS`, on the
channel of a participant without the SDK, whose address is the `Author`; `API`, by the business; `SDK`, in an app, by an
agent or a customer, which no parameter tells. An `Author` with the prefix of a channel is a participant on that channel,
too, under another source or none. Since July 2026 an `Author` on WhatsApp may be a business-scoped user id
(https://www.twilio.com/en-us/changelog/whatsapp-bsuid-format-in-conversations-and-webhook-fields).
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from adapters.twilio.content import parsed
from adapters.twilio.errors import error_of
from adapters.twilio.messages import Fields, bare, channel_of, customer_of
from schemas.events import Event, Handle

#: What happened to a message, by `EventType`; an action that is only about to happen (`onMessageAdd`) is no event.
MESSAGE_EVENTS: dict[str, str] = {
    "onMessageAdded": "MessageReceived",
    "onMessageUpdated": "MessageEdited",
    "onMessageRemoved": "MessageDeleted",
}
#: https://www.twilio.com/docs/conversations/delivery-receipts, of `onDeliveryUpdated`.
RECEIPTS: dict[str, str] = {
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "undelivered": "MessageFailed",
    "failed": "MessageFailed",
}
_ROUTINE = frozenset(
    "EventType AccountSid ChatServiceSid MessageSid ConversationSid DateCreated DateUpdated DateRemoved RetryCount Index"
    " ParticipantSid Author Media".split()
)


def is_one(fields: Fields) -> bool:
    """Return whether the parameters are those of Conversations, by the word that they begin with."""
    return fields.get("EventType", "").startswith("on")


def events(fields: Fields, native: dict[str, Any], request: Request) -> list[Event]:
    """Return the event of a message, of its delivery, or of anything else. Raises Unprocessable."""
    word = fields["EventType"]
    if word == "onDeliveryUpdated":
        return [_receipt(fields, native, request)]
    type_, sid = MESSAGE_EVENTS.get(word), identifier(fields.get("MessageSid"))
    if type_ is None or sid is None:
        return [_other(fields, native, request)]
    customer, channel = _author(fields)
    direction = "inbound" if customer is not None else "outbound" if fields.get("Source") == "API" else None
    if type_ == "MessageReceived" and direction != "inbound":
        if direction is None:
            return [_other(fields, native, request)]
        type_ = "UserMessageSent"
    payload: dict[str, Any] = {"providerStatus": word}
    if where := fields.get("ConversationSid"):
        payload["conversationId"] = where
    if author := fields.get("Author"):
        payload["from" if customer is not None else "agent"] = bare(author)
    if type_ != "MessageDeleted" and (content := _content(fields)):
        payload["content"] = content
    changed = fields.get("DateUpdated") or fields.get("DateRemoved") if type_ != "UserMessageSent" else None
    when = changed or fields.get("DateCreated")
    event = Event(
        type_,
        request.source,
        fact_id("conversation", word, sid, when, fields.get("Body"), fields.get("Attributes")),
        channel=channel,
        direction=direction,
        provider_message_id=sid,
        handle=customer,
        occurred_at=from_text(when),
        payload=payload,
    )
    empty = {"Attributes"} if fields.get("Attributes") == "{}" else frozenset[str]()
    return [keep_rest(event, native, _ROUTINE | empty)]


def orchestrated(item: dict[str, Any], request: Request) -> Event | None:
    """Return the event of a webhook of Conversation Orchestrator (`eventType`, `timestamp`, `data`), or None for another
    item. The resource's fields are not documented, so that all of it is kept. Raises Unprocessable."""
    word, data = text(item.get("eventType")), item.get("data")
    if word is None or not isinstance(data, dict) or "timestamp" not in item:
        return None
    event = unknown(request, item, status=word)
    event.occurred_at = from_text(item.get("timestamp"))
    if word.startswith("COMMUNICATION_"):
        event.provider_message_id = identifier(data.get("id"))
    return event


def _author(fields: Fields) -> tuple[Handle | None, str | None]:
    """Return the customer who wrote on a channel, None for another author, and the channel, None if it is not known."""
    source, author = fields.get("Source", "").upper(), fields.get("Author", "")
    if source in ("SDK", "API"):
        return None, "chat"
    channel = channel_of(author, "")
    # Only a participant on a channel has an address with the channel's prefix, whatever word the source is.
    if not author or (source != "SMS" and channel == "sms"):
        return None, None
    return customer_of(author, channel), channel


def _content(fields: Fields) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if body := fields.get("Body"):
        content["text"] = body
    names = (("id", "Sid"), ("type", "ContentType"), ("name", "Filename"))
    listed = list_of(parsed(fields.get("Media", "")))
    media = [{key: value for key, name in names if (value := text(object_of(one).get(name)))} for one in listed[:100]]
    if media := [one for one in media if one]:
        content["media"] = media
    return content


def _receipt(fields: Fields, native: dict[str, Any], request: Request) -> Event:
    """Return the delivery of a message to one participant, whose own message on the channel is `ChannelMessageSid`."""
    status = fields.get("Status", "").lower()
    sid, type_ = identifier(fields.get("ChannelMessageSid")), RECEIPTS.get(status)
    if sid is None or type_ is None:
        kept = _other(fields, native, request)
        kept.provider_message_id = sid or kept.provider_message_id
        kept.payload["providerStatus"] = status[:255] or kept.payload["providerStatus"]
        return kept
    when = fields.get("DateUpdated") or fields.get("DateCreated")
    payload: dict[str, Any] = {"providerStatus": status}
    for key, name in (("conversationId", "ConversationSid"), ("conversationMessageId", "MessageSid")):
        if value := fields.get(name):
            payload[key] = value
    return Event(
        type_,
        request.source,
        fact_id("receipt", fields.get("DeliveryReceiptSid"), sid, status, when),
        direction="outbound",
        provider_message_id=sid,
        occurred_at=from_text(when),
        error=error_of(fields.get("ErrorCode") or None, None) if type_ == "MessageFailed" else None,
        payload=payload,
    )


def _other(fields: Fields, native: dict[str, Any], request: Request) -> Event:
    """Return the unmapped event, with the message, the conversation and the participant's address if they are named."""
    event = unknown(request, native, status=fields["EventType"])
    address = fields.get("MessagingBinding.Address") or ""
    customer, channel = _author(fields)
    if customer is None and address and not isinstance(native.get("MessagingBinding.Address"), list):
        channel = channel_of(address, "")
        customer = customer_of(address, channel)
    event.handle, event.channel = customer, channel
    event.provider_message_id = identifier(fields.get("MessageSid"))
    event.occurred_at = from_text(fields.get("DateUpdated") or fields.get("DateCreated"))
    if where := fields.get("ConversationSid"):
        event.payload["conversationId"] = where
    return event
