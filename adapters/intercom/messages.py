"""Reads the messages of Intercom's conversations and tickets: those of contacts, of teammates and of bots.

https://developers.intercom.com/docs/references/webhooks/webhook-models, …/references/1.1/webhooks/webhook-models (a
conversation with `conversation_message` and `user`).
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.intercom.contacts import time_of
from adapters.intercom.content import contact_of, content_of, conversation_of, customer_of, source_of
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_unix
from schemas.events import Event

Item = dict[str, Any]

#: …/webhook-models: topics about messages of a conversation or a ticket.
MESSAGES: dict[str, str] = {
    "conversation.user.created": "MessageReceived",
    "conversation.user.replied": "MessageReceived",
    "conversation.admin.replied": "UserMessageSent",
    "conversation.admin.single.created": "UserMessageSent",
    "conversation.operator.replied": "UserMessageSent",
    "conversation_part.redacted": "MessageDeleted",
    "ticket.contact.replied": "MessageReceived",
    "ticket.admin.replied": "UserMessageSent",
}
#: Our channel by a conversation's `source.type`; all others are chats.
SOURCES: dict[str, str] = {"email": "email", "sms": "sms", "whatsapp": "whatsapp"}
#: The types of an author who is a contact, and of one who is of the workspace.
_CONTACTS = frozenset({"user", "lead", "contact", "visitor"})
_WORKSPACE = frozenset({"admin", "bot", "team"})
#: What an event's id begins with, where a message has several events.
_ABOUT = {"MessageDeleted": ("redacted",)}
_MOST_PARTS = 100

#: Keys of a message that add nothing to what its event has: its writer has a handle and a name.
_READ = frozenset({"type", "id", "author", "created_at", "updated_at", "notified_at"})


def messages(topic: str, item: Item, body: Item, request: Request) -> list[Event]:
    """Return an event for each message that is new, or redacted; none if the notification has none. Raises
    Unprocessable."""
    conversation = conversation_of(item)
    return [_message(MESSAGES[topic], part, conversation, body, request) for part in _parts_of(topic, item)]


def _parts_of(topic: str, item: Item) -> list[Item]:
    """Return the messages that this notification adds or that are redacted: a new conversation's first one, which may be
    ours that a contact has answered, and the parts. A note, or a mere change of state, is no message."""
    conversation = conversation_of(item)
    listed = [
        object_of(conversation.get(name)).get(name) or object_of(item.get(name)).get(name)
        for name in ("conversation_parts", "ticket_parts")
    ]
    parts = [item.get("ticket_part"), *list_of(listed[0] or listed[1])[:_MOST_PARTS]]
    found = [part for part in parts if isinstance(part, dict) and part.get("part_type") != "note"]
    source = source_of(conversation)
    if topic.endswith("redacted"):
        return [part for part in [source, *found] if part.get("redacted") is True]
    said = [part for part in found if part.get("body") or part.get("attachments")]
    return [source, *said] if topic.endswith("created") and source else said


def _message(type_: str, part: Item, conversation: Item, body: Item, request: Request) -> Event:
    source = source_of(conversation)
    first = part is source
    where, which = identifier(conversation.get("id")), identifier(part.get("id"))
    if where is None or which is None or len(where) + len(which) > 500:
        raise Unprocessable("a message without its conversation's id or its own")
    author = object_of(part.get("author"))
    inbound = _is_inbound(type_, text(author.get("type")))
    if type_ != "MessageDeleted":
        type_ = "MessageReceived" if inbound else "UserMessageSent"
    channel = SOURCES.get((text(source.get("type")) or "").lower(), "chat")
    customer, others = customer_of(author if inbound else contact_of(conversation), channel)
    payload: dict[str, Any] = {"providerStatus": text(body.get("topic")), "conversationId": where}
    if customer is not None:
        payload["from" if inbound else "to"] = customer.value
    if others:
        payload["handles"] = others
    if name := text(author.get("name")):
        payload["displayName" if inbound else "agent"] = name[:512]
    if type_ != "MessageDeleted" and (content := content_of(part)):
        payload["content"] = content
    if not first and (began := identifier(source.get("id"))):
        payload["inReplyTo"] = f"{where}:{began}"
    event = Event(
        type_,
        request.source,
        fact_id(*_ABOUT.get(type_, ()), "source" if first else "part", where, which),
        channel=channel,
        direction="inbound" if inbound else "outbound",
        provider_message_id=f"{where}:{which}",
        handle=customer,
        occurred_at=(type_ != "MessageDeleted" and _written(part, conversation, first)) or time_of(body),
        payload=payload,
    )
    return keep_rest(event, part, _READ)


def _is_inbound(type_: str, author: str | None) -> bool:
    """Return whether a message is a contact's: by its author, or else by the topic. The first message of a conversation
    that a contact began by answering us is ours."""
    if author in _CONTACTS:
        return True
    return type_ == "MessageReceived" and author not in _WORKSPACE


def _written(part: Item, conversation: Item, first: bool) -> Any:
    return from_unix(conversation.get("created_at") if first else part.get("created_at"))
