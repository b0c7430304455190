"""Reads Telnyx's events of messages, by their `type`: SMS and MMS, RCS, WhatsApp.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks, …/receiving-rcs-webhooks,
…/advanced-opt-in-out. No page on WhatsApp's webhooks was found: their fields are those of the types in Telnyx's
official libraries.
"""

from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import count, fact_id, identifier, location, text, unknown
from adapters.reading.own_ids import own_id
from adapters.reading.prices import price_of
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.telnyx.errors import error_of
from adapters.telnyx.send import OWN_ID, REFERENCE
from schemas.events import Event

Item = dict[str, Any]

#: …/receiving-webhooks: event types that apply to each recipient.
RECIPIENT_EVENTS: dict[str, str] = {"message.sent": "UserMessageSent", "message.read": "MessageRead"}
FINAL = "message.finalized"
RECEIVED = "message.received"
#: …/receiving-webhooks: the status of each recipient in the final event; without a receipt the message counts as
#: sent.
STATUSES: dict[str, str] = {
    "delivered": "MessageDelivered",
    "delivery_unconfirmed": "UserMessageSent",
    "delivery_failed": "MessageFailed",
    "sending_failed": "MessageFailed",
    "expired": "MessageFailed",
    "read": "MessageRead",
}
#: Our channel by `type`; without a type it is SMS, as it was before there were others.
TYPES: dict[str, str] = {"SMS": "sms", "MMS": "sms", "RCS": "rcs", "WHATSAPP": "whatsapp"}
#: …/advanced-opt-in-out: `autoresponse_type`, Telnyx's interpretation of the sender's word; HELP changes no consent.
AUTORESPONSES: dict[str, str] = {"STOP": "RecipientUnsubscribed", "START": "RecipientSubscribed"}
_MOST = 100


def outbound(kind: str, payload: Item, event_id: str, at: str | None, request: Request) -> Normalized:
    """Return one event per recipient of a message that we sent. Raises Unprocessable."""
    found = Normalized()
    recipients = payload.get("to")
    several = isinstance(recipients, list) and len(recipients) > 1
    failed = _failed(recipients)
    for place, one in enumerate(recipients if isinstance(recipients, list) else ()):
        if not isinstance(one, dict) or place >= _MOST:
            why = f"is beyond the first {_MOST}" if place >= _MOST else "is not an object"
            found.unprocessable.append((one, f"a recipient {why}"))
            continue
        given, number = text(one.get("status")) or "", text(one.get("phone_number"))
        status = spelled(given, STATUSES)
        type = STATUSES.get(status)
        if type != "MessageFailed":  # one of several may have failed while others were sent
            type = RECIPIENT_EVENTS.get(kind, type)
        # All recipients share the webhook's id, and the message's.
        own = fact_id(event_id, number) if several else event_id
        # If there are several, each event keeps its own recipient only: the whole webhook in each could be many
        # times its size.
        item = {"id": payload.get("id"), "to": [one]} if several else payload
        event = (
            unknown(request, item, status=status, event_id=own) if type is None else Event(type, request.source, own)
        )
        _describe(event, payload, "outbound", at)
        event.handle = handle(number, event.channel)
        event.payload |= {"providerStatus": f"{kind}.{given}"[:255]} | ({"to": number} if number else {})
        if carrier := text(one.get("carrier")):
            event.payload["carrier"] = carrier[:255]
        if type == "MessageFailed":
            # The errors are the message's: if several recipients failed, no field says whose error each is.
            errors = payload.get("errors") if failed < 2 else None
            event.error = error_of(errors, "expired" if status == "expired" else "unknown")
        rest = {"to": [one]} | ({"errors": payload.get("errors")} if type == "MessageFailed" and failed > 1 else {})
        found.events.append(keep_rest(event, rest, read=frozenset({"status"})))
    if not found.events and not found.unprocessable:
        raise Unprocessable("a message without recipients")
    return found


def _failed(recipients: Any) -> int:
    """Return how many of the recipients have a status that says that the message failed."""
    listed = recipients[:_MOST] if isinstance(recipients, list) else []
    given = (spelled(text(one.get("status")) or "", STATUSES) for one in listed if isinstance(one, dict))
    return sum(STATUSES.get(status) == "MessageFailed" for status in given)


def received(payload: Item, event_id: str, at: str | None, request: Request) -> list[Event]:
    """Return an inbound message, and the change of consent that it requests (STOP, START), if any. Raises
    Unprocessable."""
    body = _object(payload.get("body"))
    revoked = identifier(_object(body.get("revoke")).get("original_message_id"))
    if revoked is None:
        event = Event("MessageReceived", request.source, event_id, payload={"providerStatus": RECEIVED})
    else:
        event = unknown(request, payload, status="revoke", event_id=event_id)
    _describe(event, payload, "inbound", at)
    event.provider_message_id = revoked or event.provider_message_id
    if "from" not in event.payload and (sender := text(body.get("from"))):
        event.payload["from"] = sender
    event.handle = handle(event.payload.get("from"), event.channel)
    to = payload.get("to")
    if ours := _address(to[0] if isinstance(to, list) and to else None):
        event.payload["to"] = ours
    edit = _object(body.get("edit"))
    if original := identifier(edit.get("original_message_id")):
        event.payload["edits"] = original
    if content := _content(payload) | _body(_object(edit.get("message")) or body):
        event.payload["content"] = content
    consent_type = AUTORESPONSES.get((text(payload.get("autoresponse_type")) or "").upper())
    if consent_type is None:
        return [event]
    own = fact_id("autoresponse", event_id)
    consent = Event(
        consent_type,
        request.source,
        own,
        channel=event.channel,
        direction="inbound",
        provider_message_id=event.provider_message_id,
    )
    consent.handle, consent.occurred_at = event.handle, event.occurred_at
    consent.payload = {key: event.payload[key] for key in ("from", "to") if key in event.payload}
    return [event, consent]


def _describe(event: Event, payload: Item, direction: str, at: str | None) -> None:
    """Fill in the fields that inbound and outbound events share. Raises Unprocessable if there is no message id."""
    event.channel = TYPES.get((text(payload.get("type")) or "SMS").upper())
    event.direction, event.occurred_at = direction, from_text(at)
    event.provider_message_id = identifier(payload.get("id"))
    if event.provider_message_id is None:
        raise Unprocessable("an event has no message id")
    if sender := _address(payload.get("from")):
        event.payload["from"] = sender
    if (parts := count(payload.get("parts"))) is not None:
        event.payload["segments"] = parts
    cost = _object(payload.get("cost"))
    if price := price_of(cost.get("amount"), cost.get("currency")):
        event.payload["price"] = price
    tags = payload.get("tags")
    for tag in tags[:_MOST] if isinstance(tags, list) else ():
        if isinstance(tag, str) and tag.startswith(OWN_ID):
            event.echoed_message_id = own_id(tag.removeprefix(OWN_ID))
        elif isinstance(tag, str) and tag.startswith(REFERENCE):
            event.payload["reference"] = tag.removeprefix(REFERENCE)[:1024]


def _content(payload: Item) -> Item:
    """Return the content of an SMS or MMS."""
    content: Item = {key: value for key in ("text", "subject") if (value := text(payload.get(key)))}
    media = payload.get("media")
    files = [
        {key: value for key, name in (("url", "url"), ("type", "content_type")) if (value := text(one.get(name)))}
        for one in (media[:_MOST] if isinstance(media, list) else ())
        if isinstance(one, dict) and text(one.get("url"))
    ]
    return content | ({"media": files} if files else {})


def _body(body: Item) -> Item:
    """Return the content of an RCS or WhatsApp message; the text of the latter is an object."""
    content: Item = {}
    written = body.get("text")
    if words := text(written.get("body")) if isinstance(written, dict) else text(written):
        content["text"] = words
    file = _object(_object(body.get("user_file")).get("payload"))
    names = (("url", "file_uri"), ("type", "mime_type"), ("name", "file_name"))
    if media := {key: value for key, name in names if (value := text(file.get(name)))}:
        content["media"] = [media]
    place = _object(body.get("location"))
    if where := location(place.get("latitude"), place.get("longitude")):
        content["location"] = where
    chosen = _object(body.get("suggestion_response"))
    if reply := {
        key: value for key, name in (("id", "postback_data"), ("title", "text")) if (value := text(chosen.get(name)))
    }:
        content["buttonReply"] = reply
        if title := reply.get("title"):
            content["text"] = title
    return content


def _address(side: Any) -> str | None:
    """Return a phone number, or our agent's id for RCS."""
    one = _object(side)
    return text(one.get("phone_number")) or text(one.get("agent_id"))


def _object(value: Any) -> Item:
    return value if isinstance(value, dict) else {}
