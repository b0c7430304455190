"""Reads the contacts in the webhooks of Bird's channels: who wrote, received or reacted, and their other addresses.

https://docs.bird.com/api/channels-api/supported-channels/programmable-whatsapp/business-scoped-user-ids: a user of
WhatsApp has a business-scoped user id (`whatsappbsuid`), and may hide the number behind a name (`whatsappusername`).
"""

from typing import Any

from adapters.reading.addresses import handle, of_kind, phone
from adapters.reading.facts import text
from adapters.reading.shapes import list_of, object_of
from schemas.events import Handle

Item = dict[str, Any]

#: The first word of `event`, and our channel; any other is a chat.
PLATFORMS: dict[str, str] = {"sms": "sms", "whatsapp": "whatsapp", "email": "email", "rcs": "rcs"}
_NUMBER, _MAIL, _USER, _NAME = "phonenumber", "emailaddress", "whatsappbsuid", "whatsappusername"
_ADDRESSES = frozenset({_NUMBER, _MAIL, _USER})
#: Identifiers of a contact beyond these are not read.
_MOST = 100


def handles_of(contact: Item, platform: str, meta: Any = None) -> list[Handle]:
    """Return the contact's handles: first the address that it has on this channel, then the others.

    A WhatsApp user's first one is the number, if one is known, as with other providers of WhatsApp: consents are of it. Else
    it is the user id, before the user's name, which may change hands. Empty if there is no valid address of this channel.
    """
    key, value = _key(contact), text(contact.get("identifierValue"))
    known = [(_key(one), text(one.get("identifierValue"))) for one in _identifiers(contact)]
    known = [(key, value), *known, (_USER, text(_extra(meta).get(_USER)))]
    first = _address(key, value, platform)
    others = [found for one, of in known if one in _ADDRESSES and (found := _address(one, of, platform))]
    if platform == "whatsapp":
        numbers = [one for position, one in enumerate(others) if one.kind == "phone" and one not in others[:position]]
        users = [one for one in others if one.kind == "whatsapp_user_id"]
        if len(numbers) == 1:
            first = numbers[0]
        elif users and (first is None or key == _NAME):
            first = users[0]
    if first is None:
        return []
    handles: list[Handle] = []
    for one in (first, *others):
        if one not in handles:
            handles.append(one)
    return handles


def add_customer(values: Item, contact: Item, platform: str, key: str, meta: Any = None) -> Handle | None:
    """Add to a payload the contact's address, under `key`, and its other addresses; return the first one's handle."""
    found = handles_of(contact, platform, meta)
    if found:
        values[key] = found[0].value
    if len(found) > 1:
        values["handles"] = [{"kind": other.kind, "value": other.value} for other in found[1:]]
    return found[0] if found else None


def add_names(values: Item, contact: Item, meta: Any) -> None:
    """Add to a payload the contact's name and the name of a WhatsApp user."""
    written = [contact, *_identifiers(contact)]
    user = next((found for one in written if _key(one) == _NAME and (found := text(one.get("identifierValue")))), None)
    for key, name in (
        ("displayName", text(object_of(contact.get("annotations")).get("name"))),
        ("username", text(_extra(meta).get(_NAME)) or user),
    ):
        if name:
            values[key] = name[:1024]


def _extra(meta: Any) -> Item:
    return object_of(object_of(meta).get("extraInformation"))


def _identifiers(contact: Item) -> list[Item]:
    return [one for one in list_of(contact.get("identifiers"))[:_MOST] if isinstance(one, dict)]


def _key(one: Item) -> str:
    return text(one.get("identifierKey")) or ""


def _address(key: str, value: str | None, platform: str) -> Handle | None:
    channel = PLATFORMS.get(platform, "chat")
    if value is None:
        return None
    if key == _USER:
        return of_kind("whatsapp_user_id", value)
    if key == _NUMBER or (not key and channel != "chat"):
        return phone(value) if value.isdigit() else handle(value, channel)
    return handle(value, "email") if key == _MAIL else of_kind("chat_id", f"{platform}:{value}")
