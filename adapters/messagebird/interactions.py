"""Reads what a person did with a message of Bird's channels, `<channel>.interaction`: reading, clicks, opt-outs.

https://docs.bird.com/api/channels-api/message-status-and-interactions; the object (`ChannelMessageInteraction`) and its
types, one page per channel: https://docs.bird.com/api/channels-api/supported-channels/programmable-sms/message-interactions.
"""

from typing import Any

from adapters.contract import Request
from adapters.messagebird.contacts import PLATFORMS, add_customer
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from schemas.events import Event

Item = dict[str, Any]

#: `type` of an interaction. A reaction (Telegram) or a conversion is none of ours.
INTERACTIONS: dict[str, str] = {
    "read": "MessageRead",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "reported-as-spam": "MessageComplained",
    "unsubscribe-request": "RecipientUnsubscribed",
    "subscribe-consent": "RecipientSubscribed",
}


def interaction(fields: Item, payload: Item, platform: str, request: Request) -> Event:
    """Return the event of an interaction, or of an unknown kind of event, with its message's id if it has one."""
    kind, word = str(fields["event"]), (text(payload.get("type")) or "").lower()
    known = kind.endswith(".interaction")
    type_ = INTERACTIONS.get(word) if known else None
    found = unknown(request, fields, status=word if known and word else kind)
    found.provider_message_id = identifier(payload.get("messageId"))
    if found.provider_message_id is not None:
        found.channel, found.direction = PLATFORMS.get(platform, "chat"), "outbound"
    found.occurred_at = from_text(payload.get("createdAt"))
    contacts = list_of(object_of(payload.get("receiver")).get("contacts"))
    if len(contacts) == 1:  # of several, who it was is unknown, and an opt-out must reach nobody else
        found.handle = add_customer(found.payload, object_of(contacts[0]), platform, "to")
    if type_ is None:
        return found
    del found.payload["native"]  # what no field holds is kept by the caller
    found.type, found.channel, found.direction = type_, PLATFORMS.get(platform, "chat"), "outbound"
    found.source_event_id = fact_id("interaction", *_identity(payload, word))
    if reference := text(payload.get("messageReference")):
        found.payload["reference"] = reference[:1024]
    metadata = object_of(payload.get("metadata"))
    if url := text(object_of(metadata.get("link")).get("url")):
        found.payload["url"] = url[:8192]
    if metadata.get("prefetched") is True and type_ in ("MessageOpened", "MessageClicked"):
        found.payload["machineOpen"] = True
    return found


def _identity(payload: Item, word: str) -> list[str | None]:
    """Return what identifies an interaction: its id, or else its message, type and time."""
    if own := identifier(payload.get("id")):
        return [own]
    return [identifier(payload.get("messageId")), word, text(payload.get("createdAt")), text(payload.get("details"))]
