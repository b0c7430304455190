"""Reads the parameters of a message that came in to Plivo.

https://docs.plivo.com/docs/messaging/api/message/handling-incoming
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import dialled
from adapters.reading.facts import fact_id, identifier, location
from schemas.events import Event

Fields = dict[str, str]

#: `MessageIntent`, Plivo's interpretation of the sender's word; `help` changes no consent.
INTENTS: dict[str, str] = {"optout": "RecipientUnsubscribed", "optin": "RecipientSubscribed"}
#: numbered from `Media1`; `Media0` is read too.
_MEDIA = tuple(f"Media{index}" for index in range(11))
#: The parameters of which a message that came in has at least one, and a state none.
CONTENT = frozenset({"Text", "Body", "Caption", "ContentType", "Latitude", *_MEDIA})


def events(fields: Fields, request: Request) -> list[Event]:
    """Return the message, and the change of consent that it is, if any. Raises Unprocessable if it has no id."""
    get = fields.get
    message_id, channel = identifier(fields["MessageUUID"]), channel_of(fields)
    if message_id is None:
        raise Unprocessable("a message without its id")
    content: dict[str, Any] = {"text": words} if (words := get("Text") or get("Body") or get("Caption")) else {}
    kind = {"type": mime[:255]} if (mime := get("MimeType")) else {}
    if media := [{"url": url} | kind for name in _MEDIA if (url := get(name))]:
        content["media"] = media
    if place := location(get("Latitude"), get("Longitude"), get("Name") or get("Address")):
        content["location"] = place
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("inbound", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
    )
    event.handle = dialled(get("From"), channel)
    event.payload = {key: value for key, name in (("from", "From"), ("to", "To")) if (value := get(name))}
    if name := get("ProfileName"):
        event.payload["displayName"] = name[:1024]
    if replied_to := get("ContextMessageUUID"):
        event.payload["inReplyTo"] = replied_to[:2048]
    if content:
        event.payload["content"] = content
    if (intent := INTENTS.get(get("MessageIntent", "").lower())) is None:
        return [event]
    consent = Event(
        intent,
        request.source,
        fact_id("intent", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
    )
    consent.handle = event.handle
    consent.payload = {key: event.payload[key] for key in ("from", "to") if key in event.payload}
    return [event, consent]


def channel_of(fields: Fields) -> str:
    """Return our channel of a message, by the word of its kind."""
    return "whatsapp" if (fields.get("Type") or fields.get("MessageType", "")).lower() == "whatsapp" else "sms"
