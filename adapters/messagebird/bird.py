"""Reads the messages of Bird's channels, `<channel>.inbound` and `<channel>.outbound`; `interactions` reads the rest.

https://docs.bird.com/api/channels-api/message-status-and-interactions; the message:
https://docs.bird.com/api/channels-api/supported-channels/programmable-email/message-status.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.messagebird.contacts import PLATFORMS, add_customer, add_names
from adapters.messagebird.errors import error_of
from adapters.messagebird.interactions import interaction
from adapters.reading.facts import fact_id, identifier, location, text, unknown
from adapters.reading.times import from_text
from schemas.events import Event

Item = dict[str, Any]

STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "sending_failed": "MessageFailed",
    "delivery_failed": "MessageFailed",
}
#: The longest id or title of a button that the schema allows; a postback may be longer.
_LONGEST = 1024


def event(fields: Item, payload: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable if the message has no id."""
    word = str(fields["event"])
    platform, _, kind = word.partition(".")
    if kind not in ("inbound", "outbound"):
        return interaction(fields, payload, platform, request)
    message_id = identifier(payload.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    inbound = kind == "inbound"
    channel, status = PLATFORMS.get(platform, "chat"), (text(payload.get("status")) or "").lower()
    theirs, ours = _contact(payload, inbound), _connector(payload, inbound)
    values: Item = {"providerStatus": status[:255]} if status else {}
    customer = add_customer(values, theirs, platform, "from" if inbound else "to", payload.get("meta"))
    if ours is not None:
        values["to" if inbound else "from"] = ours
    if reference := text(payload.get("reference")):
        values["reference"] = reference[:1024]
    if inbound:
        type_ = "MessageReceived"
        if content := _content(payload.get("body")):
            values["content"] = content
        if replied_to := text(_part(payload, "replyTo").get("id")):
            values["inReplyTo"] = replied_to[:2048]
        add_names(values, theirs, payload.get("meta"))
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
            key: value[:_LONGEST]
            for key, name in (("id", "payload"), ("title", "text"))
            if (value := text(pressed.get(name)))
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
