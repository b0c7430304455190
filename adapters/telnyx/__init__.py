"""Telnyx: messages (one event a recipient) and calls, one webhook each; sending of SMS and MMS.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks: up to three tries of each URL where 2xx does not come
within two seconds, then the failover URL. Each webhook has an id, which stays.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.base import Answer, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values
from adapters.parts.addresses import handle
from adapters.parts.bodies import json_of
from adapters.parts.facts import count, fact_id, identifier, text, unknown
from adapters.parts.prices import price_of
from adapters.parts.signatures import check_age, from_base64, header, secrets_of
from adapters.parts.times import from_text
from adapters.telnyx import calls
from adapters.telnyx.errors import error_of
from adapters.telnyx.send import API, IDEMPOTENT, OWN_ID, REFERENCE, build_request, read_response
from schemas.events import Event

__all__ = ["IDEMPOTENT", "build_request", "read_response"]

NAME = "telnyx"
TITLE = "Telnyx"
DOCS = "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks"
CHANNELS = frozenset({"sms", "voice"})
SENDS = frozenset({"sms"})
SIGNATURE = "Ed25519 over timestamp and body, five minutes"
SETTINGS = (
    Setting("public_key", "The account's public key (Portal, Keys & Credentials, Public Key), base64.", secret=False),
    Setting("api_key", "An API key, KEY…, for sending."),
    Setting("sender", "The number, short code or sender id to send from.", secret=False),
    Setting(
        "messaging_profile_id", "The messaging profile to send by, where the sender does not tell it.", secret=False
    ),
    Setting("api_url", f"Where the API is; {API} if not set.", secret=False),
)
SIGNS_BODY = True

Item = dict[str, Any]

#: …/receiving-webhooks: the status of each recipient when a message is final; without a receipt it was sent, no more.
STATUSES: dict[str, str] = {
    "delivered": "MessageDelivered",
    "delivery_unconfirmed": "UserMessageSent",
    "delivery_failed": "MessageFailed",
    "sending_failed": "MessageFailed",
    "expired": "MessageFailed",
}
EVENTS = frozenset(
    {*STATUSES.values(), *calls.CALLS.values(), "MessageReceived", "CallFailed", "ProviderEventReceived"}
)
_SIGNATURE = "telnyx-signature-ed25519"
_MOST = 100


def recognise(request: Request) -> bool:
    """By its signature's header."""
    return _SIGNATURE in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Ed25519 over `timestamp|body`. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key")
    if not keys:
        return None
    given, timestamp = from_base64(header(request, _SIGNATURE)), header(request, "telnyx-timestamp")
    message = timestamp.encode("utf-8", "replace") + b"|" + request.body
    if not any([_signs(key, message, given) for key in keys]):
        raise InvalidSignature("no configured public_key verifies this signature")
    if fresh:
        check_age(timestamp, request.received_at)
    return True


def normalize(request: Request) -> Normalized:
    """One event of each recipient of a message, one of a call."""
    body = json_of(request)
    data = body.get("data") if isinstance(body, dict) else None
    payload = data.get("payload") if isinstance(data, dict) else None
    event_id = identifier(data.get("id")) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(payload, dict) or event_id is None:
        raise Unprocessable("no webhook of Telnyx: it has no data, no payload or no id")
    kind, at = text(data.get("event_type")) or "", text(data.get("occurred_at"))
    if kind == "message.received":
        return Normalized([_received(payload, event_id, at, request)])
    if kind in ("message.sent", "message.finalized"):
        return _told(kind, payload, event_id, at, request)
    if kind in calls.CALLS:
        return Normalized([calls.event(kind, payload, event_id, at, request)])
    event = unknown(request, data, status=kind or None, event_id=event_id)
    event.occurred_at = from_text(at)
    return Normalized([event])


def answer(request: Request) -> Answer:
    """200, within two seconds."""
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
    """Telnyx has none."""
    return None


def _signs(key: str, message: bytes, given: bytes) -> bool:
    try:
        _key(key).verify(given, message)
    except WrongSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _key(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode("".join(text.split()), validate=True))
    except (Base64Error, ValueError) as error:
        raise InvalidSignature(f"the configured public_key cannot be read: {error}") from error


def _told(kind: str, payload: Item, event_id: str, at: str | None, request: Request) -> Normalized:
    found = Normalized()
    recipients = payload.get("to")
    for one in recipients[:_MOST] if isinstance(recipients, list) else ():
        if not isinstance(one, dict):
            found.unprocessable.append((one, "a recipient that is no object"))
            continue
        status, number = text(one.get("status")) or "", text(one.get("phone_number"))
        type = STATUSES.get(status, "UserMessageSent" if kind == "message.sent" else None)
        # The webhook's id is that of all its recipients.
        own = event_id if len(recipients or ()) == 1 else fact_id(event_id, number)
        event = unknown(request, payload, status, own) if type is None else Event(type, request.source, own)
        _describe(event, payload, "outbound", at)
        event.handle = handle(number, "sms")
        event.payload |= {"providerStatus": f"{kind}.{status}"[:255]} | ({"to": number} if number else {})
        if carrier := text(one.get("carrier")):
            event.payload["carrier"] = carrier[:255]
        if type == "MessageFailed":
            event.error = error_of(payload.get("errors"), "expired" if status == "expired" else "unknown")
        found.events.append(event)
    if not found.events and not found.unprocessable:
        raise Unprocessable("a message to nobody")
    return found


def _received(payload: Item, event_id: str, at: str | None, request: Request) -> Event:
    event = Event("MessageReceived", request.source, event_id, payload={"providerStatus": "message.received"})
    _describe(event, payload, "inbound", at)
    to = payload.get("to")
    ours = to[0] if isinstance(to, list) and to and isinstance(to[0], dict) else {}
    event.handle = handle(event.payload.get("from"), "sms")
    if number := text(ours.get("phone_number")):
        event.payload["to"] = number
    content: Item = {
        key: said for key, name in (("text", "text"), ("subject", "subject")) if (said := text(payload.get(name)))
    }
    media = payload.get("media")
    content["media"] = [
        {key: told for key, name in (("url", "url"), ("type", "content_type")) if (told := text(one.get(name)))}
        for one in (media[:_MOST] if isinstance(media, list) else ())
        if isinstance(one, dict) and text(one.get("url"))
    ]
    event.payload["content"] = {key: said for key, said in content.items() if said}
    return event


def _describe(event: Event, payload: Item, direction: str, at: str | None) -> None:
    """What both ways have in common. Raises Unprocessable."""
    event.channel, event.direction, event.occurred_at = "sms", direction, from_text(at)
    event.provider_message_id = identifier(payload.get("id"))
    if event.provider_message_id is None:
        raise Unprocessable("an event of no message: it has no id")
    sender, cost = payload.get("from"), payload.get("cost")
    if isinstance(sender, dict) and (number := text(sender.get("phone_number"))):
        event.payload["from"] = number
    if (parts := count(payload.get("parts"))) is not None:
        event.payload["segments"] = parts
    if isinstance(cost, dict) and (price := price_of(cost.get("amount"), cost.get("currency"))):
        event.payload["price"] = price
    tags = payload.get("tags")
    for tag in tags[:_MOST] if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag.startswith(OWN_ID):
            event.message_id = identifier(tag.removeprefix(OWN_ID))
        elif isinstance(tag, str) and tag.startswith(REFERENCE):
            event.payload["reference"] = tag.removeprefix(REFERENCE)[:1024]
