"""Reads the events of Bird's channels: `<channel>.inbound`, `<channel>.outbound`, and interactions with a message.

https://docs.bird.com/api/channels-api/message-status-and-interactions; the message:
https://docs.bird.com/api/channels-api/supported-channels/programmable-email/message-status.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.messagebird.errors import error_of
from adapters.reading.addresses import handle, of_kind, phone
from adapters.reading.facts import fact_id, identifier, location, text, unknown
from adapters.reading.times import from_text
from schemas.events import Event, Handle

Item = dict[str, Any]

STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "sending_failed": "MessageFailed",
    "delivery_failed": "MessageFailed",
}
#: The first word of `event`, and our channel; any other is a chat.
PLATFORMS: dict[str, str] = {"sms": "sms", "whatsapp": "whatsapp", "email": "email", "rcs": "rcs"}


def event(fields: Item, payload: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable if the message has no id."""
    word = str(fields["event"])
    platform, _, kind = word.partition(".")
    if kind not in ("inbound", "outbound"):
        return _other(fields, payload, word, platform, request)
    message_id = identifier(payload.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    inbound = kind == "inbound"
    channel, status = PLATFORMS.get(platform, "chat"), (text(payload.get("status")) or "").lower()
    theirs, ours = _contact(payload, inbound), _connector(payload, inbound)
    customer = _handle(theirs, platform, channel)
    values: Item = {"providerStatus": status[:255]} if status else {}
    if customer is not None:
        values["from" if inbound else "to"] = customer.value
    if ours is not None:
        values["to" if inbound else "from"] = ours
    if reference := text(payload.get("reference")):
        values["reference"] = reference[:1024]
    if inbound:
        type_ = "MessageReceived"
        if content := _content(payload.get("body")):
            values["content"] = content
        if name := text(_part(theirs, "annotations").get("name")):
            values["displayName"] = name[:1024]
    else:
        type_ = STATUSES.get(status, "ProviderEventReceived")
    if type_ == "ProviderEventReceived":
        values["native"] = unknown(request, fields).payload["native"]
    when = text(payload.get("createdAt") if inbound else payload.get("lastStatusAt") or payload.get("updatedAt"))
    return Event(
        type_,
        request.source,
        fact_id("bird", message_id, kind) if inbound else fact_id("bird", message_id, kind, status, when),
        channel=channel,
        direction=kind,
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(when),
        error=_error(payload) if type_ == "MessageFailed" else None,
        payload=values,
    )


def _other(fields: Item, payload: Item, word: str, platform: str, request: Request) -> Event:
    """Return the event of an interaction or an unknown kind, with its message's id if it has one."""
    found = unknown(request, fields, status=word)
    found.provider_message_id = identifier(payload.get("messageId"))
    if found.provider_message_id is not None:
        found.channel, found.direction = PLATFORMS.get(platform, "chat"), "outbound"
    found.occurred_at = from_text(payload.get("createdAt"))
    return found


def _part(item: Any, name: str) -> Item:
    found = item.get(name) if isinstance(item, dict) else None
    return found if isinstance(found, dict) else {}


def _contact(payload: Item, inbound: bool) -> Item:
    if inbound:
        return _part(payload.get("sender"), "contact")
    contacts = _part(payload, "receiver").get("contacts")
    return contacts[0] if isinstance(contacts, list) and contacts and isinstance(contacts[0], dict) else {}


def _connector(payload: Item, inbound: bool) -> str | None:
    value = text(_part(_part(payload, "receiver" if inbound else "sender"), "connector").get("identifierValue"))
    return value[:255] if value else None


def _handle(contact: Item, platform: str, channel: str) -> Handle | None:
    value, key = text(contact.get("identifierValue")), text(contact.get("identifierKey")) or ""
    if value is None:
        return None
    if key == "phonenumber" or (not key and channel != "chat"):
        return phone(value) if value.isdigit() else handle(value, channel)
    return handle(value, "email") if key == "emailaddress" else of_kind("chat_id", f"{platform}:{value}")


def _error(payload: Item) -> Any:
    failure = _part(payload, "failure")
    found = error_of(_part(failure, "source").get("code") or failure.get("code"), payload.get("details"))
    found.text = text(payload.get("reason")) or found.text
    return found


def _content(body: Any) -> Item:
    """Return the content: text, images, files, a location; a pressed button is an action with a `postback`."""
    word = text(_part({"body": body}, "body").get("type")) or ""
    part = _part(body, word)
    content: Item = {}
    if words := text(part.get("text")):
        content["text"] = words
    for listed in ("images", "files"):
        files = part.get(listed)
        if isinstance(files, list) and (media := [_medium(file) for file in files[:100] if isinstance(file, dict)]):
            content["media"] = media
    actions = part.get("actions")
    if isinstance(actions, list) and actions:
        pressed = _part(actions[0], "postback")
        chosen = {
            key: value for key, name in (("id", "payload"), ("title", "text")) if (value := text(pressed.get(name)))
        }
        if chosen:
            content["buttonReply"] = chosen
    point = _part(part, "coordinates")
    if place := location(point.get("latitude"), point.get("longitude")):
        content["location"] = place
    if not content and part:
        content["body"] = part
    return content


def _medium(file: Item) -> Item:
    names = (("url", "mediaUrl"), ("type", "contentType"), ("name", "filename"))
    return {key: value for key, name in names if (value := text(file.get(name)))}
