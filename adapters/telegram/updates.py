"""Reads Telegram's updates by kind; `normalize` adds the event's id, which is the update's.

https://core.telegram.org/bots/api#update
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import of_kind
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.times import from_unix
from adapters.telegram.content import button_of, content_of
from adapters.telegram.ids import message_id_of
from schemas.events import Event, Handle

Item = dict[str, Any]

#: https://core.telegram.org/bots/api#chatmember: the consent that a bot's status in a private chat implies.
MEMBERSHIPS: dict[str, str] = {"kicked": "RecipientUnsubscribed", "member": "RecipientSubscribed"}
#: Where the user is in an update of this kind, if not in `from`.
_WHOSE: dict[str, tuple[str, ...]] = {
    "business_connection": ("user",),
    "deleted_business_messages": ("chat",),
    "poll_answer": ("user",),
    "chat_member": ("new_chat_member", "user"),
    "chat_boost": ("boost", "source", "user"),
    "removed_chat_boost": ("source", "user"),
}


def _message(item: Item, kind: str, request: Request) -> Event:
    """Return the event of a message, new or edited: https://core.telegram.org/bots/api#message."""
    sender, chat, sender_chat = (_part(item, name) for name in ("from", "chat", "sender_chat"))
    connection = text(item.get("business_connection_id"))
    # A business account's chat is always with a customer; any other sender is the business.
    ours = connection is not None and sender.get("id") is not None and sender["id"] != chat.get("id")
    # For messages of a group or channel, `from` is a fixed made-up user; `sender_chat` is the real sender.
    customer = _handle(chat if ours else sender_chat or sender or chat)
    where = _handle(chat)
    own_id = message_id_of(item)
    edited = kind.startswith("edited_")
    payload: dict[str, Any] = {"providerStatus": kind}
    if ours:
        payload |= {"to": customer.value} if customer else {}
    else:
        payload |= {"from": customer.value} if customer else {}
        if where is not None and where != customer:
            payload["to"] = where.value
        _add_names(payload, sender_chat or sender or chat)
    if edited and own_id is not None:
        payload["edits"] = own_id
    if isinstance(replied := item.get("reply_to_message"), dict) and (original := message_id_of(replied)):
        payload["inReplyTo"] = original
    content = content_of(item)
    if content is None:
        type_ = "ProviderEventReceived"
        payload["native"] = unknown(request, item).payload["native"]
    else:
        type_ = "UserMessageSent" if ours else "MessageReceived"
        payload["content"] = content
    # An edit must not be merged into the original message: it is an event of its own.
    about = None if edited else own_id
    time = from_unix(item.get("edit_date") if edited else item.get("date"))
    direction = "outbound" if ours else "inbound"
    return Event(
        type_,
        request.source,
        "",
        channel="chat",
        direction=direction,
        provider_message_id=about,
        handle=customer,
        occurred_at=time,
        payload=payload,
    )


def _pressed(item: Item, kind: str, request: Request) -> Event:
    """Return the event of a pressed button: https://core.telegram.org/bots/api#callbackquery. Its message has the
    time of the message, not of the press."""
    data = text(item.get("data")) or text(item.get("game_short_name"))
    if data is None:
        return _other(item, kind, request)
    sender, message = _part(item, "from"), _part(item, "message")
    customer = _handle(sender)
    reply = {"id": data} | ({"title": title} if (title := button_of(message, data)) else {})
    content: dict[str, Any] = {"buttonReply": reply}
    if title:
        content["text"] = title
    payload: dict[str, Any] = {"providerStatus": kind, "content": content}
    if customer is not None:
        payload["from"] = customer.value
    _add_names(payload, sender)
    if original := message_id_of(message) or text(item.get("inline_message_id")):
        payload["inReplyTo"] = original
    own_id = identifier(item.get("id"))
    return Event(
        "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="inbound",
        provider_message_id=own_id,
        handle=customer,
        payload=payload,
    )


def _reaction(item: Item, kind: str, request: Request) -> Event:
    """Return the event of a reaction, which has the current reactions, or none if it was removed:
    https://core.telegram.org/bots/api#messagereactionupdated."""
    chosen = item.get("new_reaction")
    last = chosen[-1] if isinstance(chosen, list) and chosen and isinstance(chosen[-1], dict) else {}
    reaction = {"emoji": (text(last.get("emoji")) or text(last.get("custom_emoji_id")) or text(last.get("type")) or "")}
    if original := message_id_of(item):
        reaction["providerMessageId"] = original
    who = _part(item, "user") or _part(item, "actor_chat")
    customer = _handle(who)
    payload: dict[str, Any] = {"providerStatus": kind, "content": {"reaction": reaction}}
    if customer is not None:
        payload["from"] = customer.value
    _add_names(payload, who)
    time = from_unix(item.get("date"))
    return Event(
        "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="inbound",
        handle=customer,
        occurred_at=time,
        payload=payload,
    )


def _membership(item: Item, kind: str, request: Request) -> Event:
    """Return the event of a private chat whose user blocked or unblocked the bot:
    https://core.telegram.org/bots/api#chatmemberupdated."""
    chat, status = _part(item, "chat"), text(_part(item, "new_chat_member").get("status")) or ""
    type_ = MEMBERSHIPS.get(status) if chat.get("type") == "private" else None
    customer = _handle(chat)
    if type_ is None or customer is None:
        return _other(item, kind, request)
    payload: dict[str, Any] = {"providerStatus": status, "from": customer.value}
    _add_names(payload, chat)
    time = from_unix(item.get("date"))
    return Event(
        type_,
        request.source,
        "",
        channel="chat",
        direction="inbound",
        handle=customer,
        occurred_at=time,
        payload=payload,
    )


def _other(item: Item, kind: str, request: Request) -> Event:
    """Return an unknown event of any other kind of update."""
    event = unknown(request, item, status=kind)
    part = item
    for name in _WHOSE.get(kind, ("from",)):
        part = _part(part, name)
    event.channel, event.handle = "chat", _handle(part)
    event.occurred_at, event.provider_message_id = from_unix(item.get("date")), message_id_of(item)
    return event


#: https://core.telegram.org/bots/api#update
UPDATES: dict[str, Callable[[Item, str, Request], Event]] = {
    **dict.fromkeys(("message", "edited_message", "channel_post", "edited_channel_post"), _message),
    **dict.fromkeys(("business_message", "edited_business_message"), _message),
    "callback_query": _pressed,
    "message_reaction": _reaction,
    "my_chat_member": _membership,
    **dict.fromkeys(
        "business_connection deleted_business_messages message_reaction_count inline_query chosen_inline_result"
        " shipping_query pre_checkout_query purchased_paid_media poll poll_answer chat_member chat_join_request"
        " chat_boost removed_chat_boost".split(),
        _other,
    ),
}


def _part(item: Item, name: str) -> Item:
    return found if isinstance(found := item.get(name), dict) else {}


def _handle(who: Item) -> Handle | None:
    """Return the handle of a user or a chat."""
    number = text(who.get("id"))
    return of_kind("chat_id", f"telegram:{number}") if number else None


def _add_names(payload: dict[str, Any], who: Item) -> None:
    names = [name for key in ("first_name", "last_name") if (name := text(who.get(key)))]
    if name := " ".join(names) or text(who.get("title")):
        payload["displayName"] = name
    if username := text(who.get("username")):
        payload["username"] = username
