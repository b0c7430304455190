"""Reads what Intercom reports of contacts: consents, what became of messages to them, and all that has no event of ours.

https://developers.intercom.com/docs/references/webhooks/webhook-models (topics, the Content Stat object),
https://developers.intercom.com/docs/references/2.5/changelog (the names of topics before 2.5), …/2.7/changelog
(`subscription_types`).
"""

from typing import Any

from adapters.contract import Request
from adapters.intercom.content import contact_of, conversation_of, customer_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text, from_unix
from adapters.reading.words import spelled
from schemas.events import Error, Event

Item = dict[str, Any]

#: Topics about a contact's consent, and the channel that they are about.
CONSENTS: dict[str, tuple[str, str]] = {
    "contact.unsubscribed": ("RecipientUnsubscribed", "email"),
    "contact.subscribed": ("RecipientSubscribed", "email"),
    "contact.unsubscribed_from_sms": ("RecipientUnsubscribed", "sms"),
    "user.unsubscribed": ("RecipientUnsubscribed", "email"),
    "user.unsubscribed_from_sms": ("RecipientUnsubscribed", "sms"),
    "granular.unsubscribe": ("RecipientUnsubscribed", "email"),
    "granular.subscribe": ("RecipientSubscribed", "email"),
}
#: Our channel by the `content_types` of a subscription type.
CONTENT_TYPES: dict[str, str] = {"email": "email", "sms_message": "sms"}
#: Events of a message that was sent to a contact, by `stat_type`.
STATS: dict[str, str] = {
    "receipt": "UserMessageSent",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "hard_bounce": "MessageBounced",
    "soft_bounce": "MessageBounced",
    "sms_failure": "MessageFailed",
    "push_failure": "MessageFailed",
    "spam_complaint": "MessageComplained",
    "unsubscribe": "RecipientUnsubscribed",
}
#: Our channel by the kind of content that is a message; all others (a banner, a tour) are shown on the workspace's own pages.
CONTENTS: dict[str, str] = {"email": "email", "sms": "sms", "push": "push", "chat": "chat", "post": "chat"}
_MOST_TYPES = 100
_FAILED = frozenset({"MessageBounced", "MessageFailed"})
#: The types of an item that is a contact itself.
_CONTACTS = frozenset({"contact", "user", "lead", "visitor"})


def consents(topic: str, item: Item, body: Item, request: Request) -> list[Event]:
    """Return the events of a contact who left, or joined, all messages of a channel or one subscription type; none if the
    contact has no address, or the subscription type that was joined is not named."""
    type_, default = CONSENTS[topic]
    named = _subscriptions(item) if topic.startswith("granular.") else []
    if topic == "granular.subscribe" and not named:
        return []
    about: list[tuple[str | None, str]] = [(id_, one) for id_, channels in named for one in channels or [default]]
    about = about or [(None, default)]
    events = []
    for id_, channel in about:
        if (event := _consent(type_, channel, item, body, request)) is not None:
            event.payload |= {"list": id_[:255]} if id_ else {}
            if len(about) > 1:
                event.source_event_id = fact_id(event.source_event_id, id_, channel)
            events.append(event)
    return events


def _subscriptions(item: Item) -> list[tuple[str, list[str]]]:
    """Return the id and the channels of each subscription type that an item names: one, or since 2.7 a list."""
    listed = item.get("subscription_types")
    several = listed.get("data") if isinstance(listed, dict) else listed
    found = []
    for one in [item.get("subscription_type"), *list_of(several)[:_MOST_TYPES]]:
        part = object_of(one)
        channels = (CONTENT_TYPES.get(text(kind) or "") for kind in list_of(part.get("content_types"))[:10])
        if id_ := identifier(part.get("id")):
            found.append((id_, list(dict.fromkeys(channel for channel in channels if channel))))
    return found


def _consent(type_: str, channel: str, item: Item, body: Item, request: Request) -> Event | None:
    customer, others = customer_of(person_of(item), channel)
    if customer is None:
        return None
    payload: dict[str, Any] = {"providerStatus": text(body.get("topic")), "from": customer.value}
    if others:
        payload["handles"] = others
    event_id = identifier(body.get("id")) or fact_id(type_, customer.value, text(body.get("created_at")))
    event = Event(
        type_,
        request.source,
        event_id,
        channel=channel,
        direction="inbound",
        handle=customer,
        occurred_at=time_of(body),
        payload=payload,
    )
    return keep_rest(event, {name: item.get(name) for name in ("subscription_types",)})


def stat(topic: str, item: Item, body: Item, request: Request) -> Event:
    """Return the event of what became of a message to a contact: `stat_type` names it, `receipt_id` the message."""
    about = object_of(item.get("content_stat"))
    word = text(about.get("stat_type"))
    kind = spelled(word, STATS)
    type_, channel = STATS.get(kind), CONTENTS.get(topic.removeprefix("content_stat."))
    customer, others = customer_of(person_of(item), channel or "chat")
    receipt = identifier(about.get("receipt_id"))
    message_id = f"receipt:{receipt}" if receipt and len(receipt) <= 500 else None
    status = f"{topic}.{word}"[:255] if word else topic
    if type_ is None or channel is None or customer is None:
        event = other(status, item, body, request)
        event.provider_message_id = message_id
        return event
    inbound = type_ == "RecipientUnsubscribed"
    payload: dict[str, Any] = {"providerStatus": status, "from" if inbound else "to": customer.value}
    if others:
        payload["handles"] = others
    if type_ == "MessageBounced":
        payload["bounceType"] = kind
    event = Event(
        type_,
        request.source,
        identifier(body.get("id")) or fact_id("stat", topic, identifier(about.get("id")), kind),
        channel=channel,
        direction="inbound" if inbound else "outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("created_at")) or time_of(body),
        error=Error(kind, None, "unknown") if type_ in _FAILED else None,
        payload=payload,
    )
    return keep_rest(event, about, {"id", "stat_type", "receipt_id", "content_type"})


def time_of(body: Item) -> Any:
    """Return the time of a notification."""
    return from_unix(body.get("created_at"))


def person_of(item: Item) -> Item:
    """Return the contact that an item names: of a conversation or ticket, under its own key, or the item itself."""
    if (
        item.get("type") == "conversation"
        or conversation_of(item) is not item
        or isinstance(item.get("contacts"), dict)
    ):
        return contact_of(conversation_of(item))
    for name in ("contact", "user"):
        if isinstance(inner := item.get(name), dict):
            return inner
    return item if text(item.get("type")) in _CONTACTS else {}


def other(status: str, item: Item | None, body: Item, request: Request) -> Event:
    """Return the unmapped event, with the contact's handle if the item names one, and what a merged contact was before."""
    event = unknown(request, body, status=status or None, event_id=identifier(body.get("id")))
    event.occurred_at = time_of(body)
    if item is None:
        return event
    event.handle, _ = customer_of(person_of(item), "chat")
    conversation = conversation_of(item)
    if item.get("type") == "conversation" or conversation is not item:
        event.channel = "chat"
        if known := text(conversation.get("id")):
            event.payload["conversationId"] = known[:512]
    former, _ = customer_of({"id": object_of(item.get("merged_from")).get("id")}, "chat")
    if event.handle is not None and former is not None:
        event.payload |= {"from": event.handle.value, "handles": [{"kind": former.kind, "value": former.value}]}
    return event
