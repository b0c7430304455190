"""Reads a WhatsApp message, received or sent from elsewhere; statuses and preferences share some of its functions.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages. Users without
a phone number: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import of_kind, phone
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.whatsapp_cloud.content import content_of
from schemas.events import Event, Handle

Item = dict[str, Any]

#: Types of messages that change another: …/webhooks/reference/messages/edit, …/revoke.
CHANGES: dict[str, str] = {"edit": "MessageEdited", "revoke": "MessageDeleted"}
#: Who handles the chats that are reported under the field `standby`: …/webhooks/reference/standby.
AGENT = "meta_agent"
#: Keys of a message that add nothing to what its event has.
READ = frozenset({"id", "from", "to", "from_user_id", "to_user_id", "timestamp", "type", "group_id"})
#: Maximum characters of a name, which is repeated in each message of the same webhook.
_NAME = 1024


def message(item: Item, value: Item, request: Request, outbound: bool = False) -> Event:
    """Return the event of a message; `value` contains it, with the contacts and our number. Raises Unprocessable."""
    message_id, kind = required_id(item), text(item.get("type")) or ""
    if kind == "system":
        return system(item, value, request)
    who = "to" if outbound else "from"
    number, user_id = item.get(who), item.get(f"{who}_user_id")
    contact = None if outbound else contact_of(value, number, user_id, request)
    customer, others = customer_of(number, user_id or (contact or {}).get("user_id"))
    payload = payload_of(kind, value, customer, others, outbound)
    type_ = "UserMessageSent" if outbound else "MessageReceived"
    content, about = content_of(item), message_id
    if changed := CHANGES.get(kind):
        type_ = changed
        about = original_of(item, kind) or ""
    if content is None or not about:
        type_, about = "ProviderEventReceived", about or message_id
        payload["native"] = unknown(request, item).payload["native"]
    elif content:
        payload["content"] = content
    if contact is not None:
        _add_names(payload, contact["profile"])
    add_context(payload, item)
    event = Event(
        type_,
        request.source,
        fact_id("echo" if outbound else "message", message_id, kind),
        channel="whatsapp",
        direction="outbound" if outbound else "inbound",
        provider_message_id=about,
        handle=customer,
        occurred_at=from_unix(item.get("timestamp")),
        payload=payload,
    )
    return keep_rest(event, item, READ)


def system(item: Item, value: Item, request: Request) -> Event:
    """Return the event of a notice about a user, whose new number or id is its handle, and whose former ids stand in
    `handles`: …/webhooks/reference/messages/system. A number that the user gave up is in `native` alone: operators assign
    it to somebody else, whom it must not join. Raises Unprocessable."""
    message_id, part = required_id(item), item.get("system")
    part = part if isinstance(part, dict) else {}
    word = text(part.get("type")) or "system"
    old_number = item.get("from") or part.get("customer")
    new_number = part.get("wa_id") or part.get("new_wa_id")
    known = [
        # `new_wa_id` and `customer`: the names of these in older versions of the API.
        *_handles(new_number, part.get("user_id")),
        *_handles(None if new_number else old_number, item.get("from_user_id")),
        *_handles(None, part.get("previous_user_id")),
    ]
    known = [one for at, one in enumerate(known) if one not in known[:at]]
    event = unknown(request, item, status=word, event_id=fact_id("message", message_id, "system"))
    event.payload = payload_of(word, value, known[0] if known else None, known[1:], False) | event.payload
    event.channel, event.direction = "whatsapp", "inbound"
    event.handle, event.occurred_at = (known[0] if known else None), from_unix(item.get("timestamp"))
    return event


def _handles(number: Any, user_id: Any) -> list[Handle]:
    first, others = customer_of(number, user_id)
    return [first, *others] if first is not None else []


def echo(item: Item, value: Item, request: Request) -> Event:
    """Return the event of a message that a person sent with the WhatsApp Business app:
    …/webhooks/reference/smb_message_echoes. Raises Unprocessable."""
    return message(item, value, request, outbound=True)


def required_id(item: Item) -> str:
    """Return the message's id. Raises Unprocessable if there is none."""
    if (found := identifier(item.get("id"))) is None:
        raise Unprocessable("an item without the message's id")
    return found


def customer_of(number: Any, user_id: Any) -> tuple[Handle | None, list[Handle]]:
    """Return the customer's handle, which is the phone number if Meta gives one, else the business-scoped id; and
    the other handles."""
    first = phone(number) if number else None
    second = of_kind("whatsapp_user_id", user_id)
    if first is None or second is None or first == second:
        return first or second, []
    return first, [second]


def payload_of(
    status: str, value: Item, customer: Handle | None, others: list[Handle], outbound: bool
) -> dict[str, Any]:
    """Return the fields that every item's payload has: the status, the sender and the recipient."""
    payload: dict[str, Any] = {"providerStatus": status[:255]} if status else {}
    metadata = value.get("metadata")
    ours = phone(metadata.get("display_phone_number")) if isinstance(metadata, dict) else None
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    if ours is not None:
        payload["from" if outbound else "to"] = ours.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    return payload


def original_of(item: Item, kind: str) -> str | None:
    """Return the id of the message that an edit or a revocation changes."""
    part = item.get(kind)
    return identifier(part.get("original_message_id")) if isinstance(part, dict) else None


def add_context(payload: dict[str, Any], item: Item) -> None:
    """Add the message that this one replies to, whether it was forwarded, and its group."""
    context = item.get("context")
    if isinstance(context, dict):
        if replied_to := text(context.get("id")):
            payload["inReplyTo"] = replied_to
        for name, key in (("forwarded", "forwarded"), ("frequently_forwarded", "frequentlyForwarded")):
            if context.get(name) is True:
                payload.setdefault("content", {})[key] = True
    if group := text(item.get("group_id")):
        payload["groupId"] = group


def _add_names(payload: dict[str, Any], profile: Item) -> None:
    """Add the sender's names."""
    for name, key in (("name", "displayName"), ("username", "username")):
        if words := text(profile.get(name)):
            payload[key] = words[:_NAME]


def contact_of(value: Item, number: Any, user_id: Any, request: Request) -> Item | None:
    """Return the first contact with a profile that has this number or user id."""
    contacts = value.get("contacts")
    if not isinstance(contacts, list):
        return None
    # Indexed once per webhook: a search for each message takes half a minute for a megabyte of messages and
    # contacts.
    known = request.parsed.setdefault("contacts", {})
    if id(contacts) not in known:
        known[id(contacts)] = (contacts, _places(contacts))  # keeps the list alive, so that its id is not reused
    places = known[id(contacts)][1]
    found = [
        places[key, identity]
        for key, identity in (("wa_id", number), ("user_id", user_id))
        if isinstance(identity, str) and identity and (key, identity) in places
    ]
    return contacts[min(found)] if found else None


def is_contact_of(contact: Any, number: Any, user_id: Any) -> bool:
    """Return whether a contact has this number or user id."""
    return isinstance(contact, dict) and any(
        isinstance(identity, str) and identity != "" and contact.get(key) == identity
        for key, identity in (("wa_id", number), ("user_id", user_id))
    )


def _places(contacts: list[Any]) -> dict[tuple[str, str], int]:
    """Return the index of the first contact of each number and each user id."""
    places: dict[tuple[str, str], int] = {}
    for place, contact in enumerate(contacts):
        if _has_profile(contact):
            for key in ("wa_id", "user_id"):
                if isinstance(identity := contact.get(key), str):
                    places.setdefault((key, identity), place)
    return places


def _has_profile(contact: Any) -> bool:
    return isinstance(contact, dict) and isinstance(contact.get("profile"), dict)
