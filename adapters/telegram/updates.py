"""Reads Telegram's updates by kind; `normalize` adds the event's id, which is the update's.

https://core.telegram.org/bots/api#update
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_unix
from adapters.telegram.content import button_of
from adapters.telegram.ids import message_id_of
from adapters.telegram.messages import add_names, deleted, handle_of, message, part_of
from schemas.events import Event, Handle

Item = dict[str, Any]

#: https://core.telegram.org/bots/api#chatmember: the consent that a bot's status in a private chat implies.
MEMBERSHIPS: dict[str, str] = {"kicked": "RecipientUnsubscribed", "member": "RecipientSubscribed"}
#: Keys of a reaction that add nothing to what its event has.
_REACTION = frozenset({"chat", "user", "actor_chat", "message_id", "date"})
#: Where the person is in an update of this kind, if not in `from`; several places in the order that counts. The owner of a
#: business account is no customer. Who votes as a chat has a fixed made-up user beside it.
_WHOSE: dict[str, tuple[tuple[str, ...], ...]] = {
    "business_connection": (),
    "deleted_business_messages": (("chat",),),
    "poll_answer": (("voter_chat",), ("user",)),
    "chat_member": (("new_chat_member", "user"),),
    "chat_boost": (("boost", "source", "user"),),
    "removed_chat_boost": (("source", "user"),),
}


def _pressed(item: Item, kind: str, request: Request) -> list[Event]:
    """Return the event of a pressed button: https://core.telegram.org/bots/api#callbackquery. Its message has the
    time of the message, not of the press."""
    data = text(item.get("data")) or text(item.get("game_short_name"))
    if data is None:
        return _other(item, kind, request)
    sender, message = part_of(item, "from"), part_of(item, "message")
    customer = handle_of(sender)
    reply = {"id": data} | ({"title": title} if (title := button_of(message, data)) else {})
    content: dict[str, Any] = {"buttonReply": reply}
    if title:
        content["text"] = title
    payload: dict[str, Any] = {"providerStatus": kind, "content": content}
    if customer is not None:
        payload["from"] = customer.value
    add_names(payload, sender)
    if original := message_id_of(message) or text(item.get("inline_message_id")):
        payload["inReplyTo"] = original
    own_id = identifier(item.get("id"))
    event = Event(
        "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="inbound",
        provider_message_id=own_id,
        handle=customer,
        payload=payload,
    )
    return [event]


def _reaction(item: Item, kind: str, request: Request) -> list[Event]:
    """Return the event of a reaction, which has the current reactions, or none if it was removed:
    https://core.telegram.org/bots/api#messagereactionupdated."""
    chosen, before = ([_emoji(one) for one in list_of(item.get(name))] for name in ("new_reaction", "old_reaction"))
    reaction = {"emoji": chosen[-1] if chosen else ""}
    if gone := [emoji for emoji in before if emoji not in chosen]:
        reaction["removed"] = gone[-1]
    if original := message_id_of(item):
        reaction["providerMessageId"] = original
    who = part_of(item, "user") or part_of(item, "actor_chat")
    customer = handle_of(who)
    payload: dict[str, Any] = {"providerStatus": kind, "content": {"reaction": reaction}}
    if customer is not None:
        payload["from"] = customer.value
    add_names(payload, who)
    time = from_unix(item.get("date"))
    event = Event(
        "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="inbound",
        handle=customer,
        occurred_at=time,
        payload=payload,
    )
    return [keep_rest(event, item, _REACTION)]


def _emoji(reaction: Any) -> str:
    part = object_of(reaction)
    return text(part.get("emoji")) or text(part.get("custom_emoji_id")) or text(part.get("type")) or ""


def _membership(item: Item, kind: str, request: Request) -> list[Event]:
    """Return the event of a private chat whose user blocked or unblocked the bot:
    https://core.telegram.org/bots/api#chatmemberupdated."""
    chat, status = part_of(item, "chat"), text(part_of(item, "new_chat_member").get("status")) or ""
    type_ = MEMBERSHIPS.get(status) if chat.get("type") == "private" else None
    customer = handle_of(chat)
    if type_ is None or customer is None:
        return _other(item, kind, request)
    payload: dict[str, Any] = {"providerStatus": status, "from": customer.value}
    add_names(payload, chat)
    time = from_unix(item.get("date"))
    event = Event(
        type_,
        request.source,
        "",
        channel="chat",
        direction="inbound",
        handle=customer,
        occurred_at=time,
        payload=payload,
    )
    return [event]


def _gone(item: Item, kind: str, request: Request) -> list[Event]:
    return deleted(item, kind, request) or _other(item, kind, request)


def _other(item: Item, kind: str, request: Request) -> list[Event]:
    """Return an unknown event of any other kind of update."""
    event = unknown(request, item, status=kind)
    event.channel, event.handle = "chat", _person(item, _WHOSE.get(kind, (("from",),)))
    event.occurred_at, event.provider_message_id = from_unix(item.get("date")), message_id_of(item)
    return [event]


def _person(item: Item, places: tuple[tuple[str, ...], ...]) -> Handle | None:
    """Return the handle of the first person who stands at one of the places; of a bot none."""
    for place in places:
        part = item
        for name in place:
            part = part_of(part, name)
        if part.get("is_bot") is not True and (customer := handle_of(part)) is not None:
            return customer
    return None


def unheard(body: Item, event_id: str, request: Request) -> Event:
    """Return the event of an update of a kind that is not in `UPDATES`, with the person in `from` or `user` if it has one."""
    kind = next((key for key in body if key != "update_id"), None)
    event = unknown(request, body, status=kind, event_id=event_id)
    item = object_of(body.get(kind)) if kind else {}
    event.handle = _person(item, (("from",), ("user",)))
    event.occurred_at, event.provider_message_id = from_unix(item.get("date")), message_id_of(item)
    event.channel = "chat" if event.handle is not None else None
    return event


#: https://core.telegram.org/bots/api#update
UPDATES: dict[str, Callable[[Item, str, Request], list[Event]]] = {
    **dict.fromkeys(("message", "edited_message", "channel_post", "edited_channel_post", "guest_message"), message),
    **dict.fromkeys(("business_message", "edited_business_message"), message),
    "callback_query": _pressed,
    "message_reaction": _reaction,
    "my_chat_member": _membership,
    "deleted_business_messages": _gone,
    **dict.fromkeys(
        "business_connection message_reaction_count inline_query chosen_inline_result"
        " shipping_query pre_checkout_query purchased_paid_media poll poll_answer chat_member chat_join_request"
        " chat_boost removed_chat_boost".split(),
        _other,
    ),
}
