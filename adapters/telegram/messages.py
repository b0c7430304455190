"""Reads Telegram's messages, new and edited, and their deletion.

https://core.telegram.org/bots/api#message
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import of_kind
from adapters.reading.facts import text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.telegram.content import content_of, duration_of
from adapters.telegram.ids import message_id_of
from schemas.events import Event, Handle

Item = dict[str, Any]

#: Keys of a message that add nothing to what its event has.
_READ = frozenset("message_id ephemeral_message_id from chat sender_chat date edit_date business_connection_id".split())


def message(item: Item, kind: str, request: Request) -> list[Event]:
    """Return the event of a message, new or edited: https://core.telegram.org/bots/api#message."""
    if (moved := _migrated(item, kind, request)) is not None:
        return [moved]
    sender, chat, sender_chat = (part_of(item, name) for name in ("from", "chat", "sender_chat"))
    connection = text(item.get("business_connection_id"))
    # A business account's chat is always with a customer; any other sender is the business.
    ours = connection is not None and sender.get("id") is not None and sender["id"] != chat.get("id")
    # For messages of a group or channel, `from` is a fixed made-up user; `sender_chat` is the real sender.
    customer = handle_of(chat if ours else sender_chat or sender or chat)
    where = handle_of(chat)
    own_id = message_id_of(item)
    edited = kind.startswith("edited_")
    payload: dict[str, Any] = {"providerStatus": kind}
    if ours:
        payload |= {"to": customer.value} if customer else {}
    else:
        payload |= {"from": customer.value} if customer else {}
        if where is not None and where != customer:
            payload["to"] = where.value
        add_names(payload, sender_chat or sender or chat)
    if isinstance(replied := item.get("reply_to_message"), dict) and (original := message_id_of(replied)):
        payload["inReplyTo"] = original
    content = content_of(item)
    if content is None:
        type_ = "ProviderEventReceived"
        payload["native"] = unknown(request, item).payload["native"]
    else:
        type_ = "MessageEdited" if edited else "UserMessageSent" if ours else "MessageReceived"
        payload["content"] = content
        if (seconds := duration_of(item)) is not None:
            payload["duration"] = seconds
    time = from_unix(item.get("edit_date") if edited else item.get("date"))
    direction = "outbound" if ours else "inbound"
    event = Event(
        type_,
        request.source,
        "",
        channel="chat",
        direction=direction,
        provider_message_id=own_id,
        handle=customer,
        occurred_at=time,
        payload=payload,
    )
    return [keep_rest(event, item, _READ)]


def _migrated(item: Item, kind: str, request: Request) -> Event | None:
    """Return the event of a group that became a supergroup and got another id, or None for another message: the new id is
    the handle, the former one stands in `handles` (https://core.telegram.org/bots/api#message, `migrate_to_chat_id`)."""
    new, old = item.get("migrate_to_chat_id"), part_of(item, "chat").get("id")
    word = "migrate_to_chat_id"
    if new is None:
        word, new, old = "migrate_from_chat_id", old, item.get("migrate_from_chat_id")
    customer, former = handle_of({"id": new}), handle_of({"id": old})
    if customer is None or former is None:
        return None
    event = unknown(request, item, status=word)
    event.channel, event.direction, event.handle = "chat", "inbound", customer
    event.occurred_at = from_unix(item.get("date"))
    event.payload |= {"from": customer.value, "handles": [{"kind": former.kind, "value": former.value}]}
    return event


def deleted(item: Item, kind: str, request: Request) -> list[Event]:
    """Return an event for each message that was deleted in the chat of a business account, by either side:
    https://core.telegram.org/bots/api#businessmessagesdeleted. The update has no time."""
    numbers = item.get("message_ids")
    ids = [message_id_of(item | {"message_id": number}) for number in (numbers if isinstance(numbers, list) else [])]
    customer = handle_of(part_of(item, "chat"))
    return [
        Event(
            "MessageDeleted",
            request.source,
            "",
            channel="chat",
            provider_message_id=id_,
            handle=customer,
            payload={"providerStatus": kind},
        )
        for id_ in dict.fromkeys(ids)
        if id_ is not None
    ]


def part_of(item: Item, name: str) -> Item:
    """Return the object under this name, or an empty one."""
    return found if isinstance(found := item.get(name), dict) else {}


def handle_of(who: Item) -> Handle | None:
    """Return the handle of a user or a chat."""
    number = text(who.get("id"))
    return of_kind("chat_id", f"telegram:{number}") if number else None


def add_names(payload: dict[str, Any], who: Item) -> None:
    """Add the names of a user or a chat."""
    names = [name for key in ("first_name", "last_name") if (name := text(who.get(key)))]
    if name := " ".join(names) or text(who.get("title")):
        payload["displayName"] = name
    if username := text(who.get("username")):
        payload["username"] = username
