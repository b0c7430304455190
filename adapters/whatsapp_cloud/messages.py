"""Reads a WhatsApp message, received or sent from elsewhere; statuses and preferences share some of its functions.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages. Users without
a phone number: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import of_kind, phone
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.times import from_unix
from adapters.whatsapp_cloud.content import content_of
from schemas.events import Event, Handle

Item = dict[str, Any]

#: Maximum characters of a name, which is repeated in each message of the same webhook.
_NAME = 1024


def message(item: Item, value: Item, request: Request, outbound: bool = False) -> Event:
    """Return the event of a message; `value` contains it, with the contacts and our number. Raises Unprocessable."""
    message_id, kind = required_id(item), text(item.get("type")) or ""
    who = "to" if outbound else "from"
    customer, others = customer_of(item.get(who), item.get(f"{who}_user_id"))
    payload = payload_of(kind, value, customer, others, outbound)
    content = content_of(item)
    if content is None:
        type_ = "ProviderEventReceived"
        payload["native"] = unknown(request, item).payload["native"]
    else:
        type_ = "UserMessageSent" if outbound else "MessageReceived"
        if content:
            payload["content"] = content
    if not outbound:
        _add_names(payload, item, value, request)
    if isinstance(context := item.get("context"), dict) and (replied_to := text(context.get("id"))):
        payload["inReplyTo"] = replied_to
    if isinstance(edit := item.get("edit"), dict) and (original := text(edit.get("original_message_id"))):
        payload["edits"] = original
    return Event(
        type_,
        request.source,
        fact_id("echo" if outbound else "message", message_id, kind),
        channel="whatsapp",
        direction="outbound" if outbound else "inbound",
        provider_message_id=_about(item, kind, message_id),
        handle=customer,
        occurred_at=from_unix(item.get("timestamp")),
        payload=payload,
    )


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


def _about(item: Item, kind: str, message_id: str) -> str | None:
    """Return the id of the message that an item is about: None for a notice, the revoked message for a revocation."""
    if kind == "system":
        return None
    revoked = item.get("revoke") if kind == "revoke" else None
    return (identifier(revoked.get("original_message_id")) if isinstance(revoked, dict) else None) or message_id


def _add_names(payload: dict[str, Any], item: Item, value: Item, request: Request) -> None:
    """Add the sender's names, from the sender's contact."""
    contact = contact_of(value, item.get("from"), item.get("from_user_id"), request)
    if contact is None:
        return
    if name := text(contact["profile"].get("name")):
        payload["displayName"] = name[:_NAME]
    if username := text(contact["profile"].get("username")):
        payload["username"] = username[:_NAME]


def contact_of(value: Item, number: Any, user_id: Any, request: Request) -> Item | None:
    """Return the first contact with a profile that has this number or user id, or the only contact."""
    contacts = value.get("contacts")
    if not isinstance(contacts, list):
        return None
    if len(contacts) == 1:
        return contacts[0] if _has_profile(contacts[0]) else None
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
