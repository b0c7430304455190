"""Reads the Conversation API's callbacks: delivery reports, inbound messages, consent.

https://developers.sinch.com/docs/conversation/callbacks. Each callback has one object beside the ids of the app and
project; the object's name is the kind of callback.
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import dialled, of_kind
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.sinch.content import CONTENTS
from adapters.sinch.errors import conversation_error
from schemas.events import Event, Handle

Item = dict[str, Any]

#: …/conversation/callbacks#message-delivery-callback. `SWITCHING_CHANNEL`: it failed on one channel, and is sent by
#: another.
STATUSES: dict[str, str] = {
    "QUEUED_ON_CHANNEL": "UserMessageSent",
    "DELIVERED": "MessageDelivered",
    "READ": "MessageRead",
    "FAILED": "MessageFailed",
    "SWITCHING_CHANNEL": "MessageDelayed",
}
#: …/conversation/callbacks#opt-in-callback
CONSENTS: dict[str, str] = {"OPT_IN_SUCCEEDED": "RecipientSubscribed", "OPT_OUT_SUCCEEDED": "RecipientUnsubscribed"}
#: Sinch's channels that have phone numbers; any other is a chat.
NUMBERS: dict[str, str] = {"SMS": "sms", "MMS": "sms", "WHATSAPP": "whatsapp", "RCS": "rcs", "VIBERBM": "chat"}
_FAILED = frozenset({"MessageFailed", "MessageDelayed"})


def event(body: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable if a message has no id."""
    for name, read in _PARTS:
        if isinstance(part := body.get(name), dict):
            return read(part, body, request)
    word = next((name for name in body if name.endswith(("_notification", "_report")) or name == "event"), None)
    found = unknown(request, body, status=word)
    found.occurred_at = _time(body)
    return found


def _report(part: Item, body: Item, request: Request) -> Event:
    status = spelled(text(part.get("status")), STATUSES)
    type_ = STATUSES.get(status, "ProviderEventReceived")
    return _outbound(type_, status, part, body, request)


def _submitted(part: Item, body: Item, request: Request) -> Event:
    return _outbound("MessageQueued", "SUBMITTED", part, body, request)


def _outbound(type_: str, status: str, part: Item, body: Item, request: Request) -> Event:
    message_id = identifier(part.get("message_id"))
    if message_id is None:
        raise Unprocessable("a report has no message id")
    channel, customer = _address(part)
    payload: Item = {"providerStatus": (text(part.get("status")) or status)[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if reference := text(body.get("message_metadata")) or text(part.get("metadata")):
        payload["reference"] = reference[:1024]
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    reason = part.get("reason")
    code = text(reason.get("code")) if isinstance(reason, dict) else None
    when = text(body.get("event_time")) or text(body.get("accepted_time"))
    return Event(
        type_,
        request.source,
        fact_id("report", message_id, status, channel, code, when),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=_time(body),
        error=conversation_error(reason) if type_ in _FAILED else None,
        payload=payload,
    )


def _inbound(part: Item, body: Item, request: Request) -> Event:
    message_id = identifier(part.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    channel, customer = _address(part)
    payload: Item = {}
    if customer is not None:
        payload["from"] = customer.value
    if ours := text(part.get("sender_id")):
        found = dialled(ours, "sms")
        payload["to"] = found.value if found is not None else ours[:255]
    contact_message = part.get("contact_message")
    contact_message = contact_message if isinstance(contact_message, dict) else {}
    word = next((name for name in CONTENTS if isinstance(contact_message.get(name), dict)), None)
    way = text(part.get("direction"))
    if way is not None and way != "TO_APP":  # a message of ours, or of a direction that no page has
        found_event = unknown(request, body, status=way)
        found_event.channel, found_event.provider_message_id = channel, message_id
        found_event.occurred_at = _time(body)
        return found_event
    if word is None:
        payload["native"] = unknown(request, body).payload["native"]
    else:
        payload["providerStatus"] = word
        if content := CONTENTS[word](contact_message[word]):
            payload["content"] = content
    reply = contact_message.get("reply_to")
    chosen = contact_message.get("choice_response_message")
    for about in (reply, chosen):
        if isinstance(about, dict) and (replied_to := text(about.get("message_id"))):
            payload["inReplyTo"] = replied_to
            break
    return Event(
        "MessageReceived" if word is not None else "ProviderEventReceived",
        request.source,
        fact_id("message", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(body.get("event_time")) or from_text(part.get("accept_time")) or _time(body),
        payload=payload,
    )


def _consent(part: Item, body: Item, request: Request) -> Event:
    given = text(part.get("status")) or ""
    status = spelled(given, CONSENTS)
    channel, customer = _address(part)
    type_ = CONSENTS.get(status)
    when = text(body.get("event_time")) or text(body.get("accepted_time"))
    if type_ is None or customer is None:
        found = unknown(request, body, status=status or None)
        found.channel, found.handle, found.occurred_at = channel, customer, _time(body)
        return found
    return Event(
        type_,
        request.source,
        fact_id("consent", customer.value, channel, status, text(part.get("request_id")), when),
        channel=channel,
        direction="inbound",
        handle=customer,
        occurred_at=_time(body),
        payload={"providerStatus": given, "from": customer.value},
    )


def _address(part: Item) -> tuple[str | None, Handle | None]:
    """Return our channel and the contact's handle, from `channel_identity`, or `channel` and `identity` of a
    notification."""
    channel_identity = part.get("channel_identity")
    names = channel_identity if isinstance(channel_identity, dict) else part
    name, identity = (text(names.get("channel")) or "").upper(), text(names.get("identity"))
    channel = NUMBERS.get(name, "chat" if name else None)
    if identity is None or not name:
        return channel, None
    if name in NUMBERS:
        return channel, dialled(identity, channel)
    return channel, of_kind("chat_id", f"{name.lower()}:{identity}")


def _time(body: Item) -> Any:
    return from_text(body.get("event_time")) or from_text(body.get("accepted_time"))


_PARTS: tuple[tuple[str, Callable[[Item, Item, Request], Event]], ...] = (
    ("message_delivery_report", _report),
    ("message", _inbound),
    ("message_redaction", _inbound),
    ("message_submit_notification", _submitted),
    ("opt_in_notification", _consent),
    ("opt_out_notification", _consent),
)
