"""Reads the parameters of Twilio's messages (`MessageSid`).

Inbound: https://www.twilio.com/docs/messaging/guides/webhook-request. Status callbacks:
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status. A user of WhatsApp without a phone number is
`whatsapp:US.1349…`, and `ExternalUserId` has that id beside a number as well
(https://www.twilio.com/en-us/changelog/whatsapp-bsuid-format-in-conversations-and-webhook-fields).
"""

from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle, of_kind
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_flat, keep_rest
from adapters.reading.times import from_text
from adapters.twilio.content import ROUTINE, add_content
from adapters.twilio.errors import error_of
from schemas.events import Event, Handle

Fields = dict[str, str]

#: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
MESSAGE_STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "scheduled": "MessageQueued",
    "queued": "MessageQueued",
    "sending": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "undelivered": "MessageFailed",
    "failed": "MessageFailed",
    "read": "MessageRead",
    "canceled": "MessageCancelled",
    "receiving": "MessageReceived",
    "received": "MessageReceived",
    # In the API's list of statuses; no page says what it means.
    "partially_delivered": "ProviderEventReceived",
}
#: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out: Twilio's interpretation of the sender's word.
OPT_OUTS: dict[str, str] = {"STOP": "RecipientUnsubscribed", "START": "RecipientSubscribed"}
#: Address prefixes (https://www.twilio.com/docs/messaging/channels) and their channels; a plain number is SMS or
#: MMS.
PREFIXES: dict[str, str] = {"whatsapp": "whatsapp", "rcs": "rcs", "messenger": "chat"}


def is_message(fields: Fields) -> bool:
    """Return whether the parameters are those of a message, whatever its status: they have its SID and a status, or are
    an inbound message as documented, with its sender and recipient and without a status."""
    return _sid(fields) is not None and _status(fields) != ""


def events(
    fields: Fields,
    request: Request,
    *,
    own_id: str | None = None,
    occurred_at: datetime | None = None,
    event_id: str | None = None,
    native: dict[str, Any] | None = None,
) -> list[Event]:
    """Return the event of a message, and the change of consent that its sender requests (STOP, START), if any.
    `native` has all parameters as they came, repeated ones as lists; `fields` if not given. Raises Unprocessable.

    The carrier's `RawDlrDoneDate` is not used as `occurred_at`: Twilio does not know its time zone
    (https://www.twilio.com/en-us/changelog/addition-of-rawdlrdonedate-to-delivered-and-undelivered-status-webhooks).
    """
    get = fields.get
    sid, status = identifier(_sid(fields)), _status(fields)
    type_ = MESSAGE_STATUSES.get(status, "ProviderEventReceived")
    inbound = type_ == "MessageReceived"
    sender, recipient = get("From", ""), get("To", "")
    channel = channel_of(sender, recipient)
    customer = customer_of(sender if inbound else recipient, channel)
    payload: dict[str, Any] = {"providerStatus": status}
    if sender:
        payload["from"] = bare(sender)
    if recipient:
        payload["to"] = bare(recipient)
    if (segments := count(get("NumSegments") or get("NumberOfSegments"))) is not None:
        payload["segments"] = segments
    if inbound:
        add_content(payload, fields)
    if other := of_kind("whatsapp_user_id", get("ExternalUserId", "").removeprefix("whatsapp:")):
        if customer is None:
            customer = other
        elif customer.kind != "whatsapp_user_id":
            payload["handles"] = [{"kind": other.kind, "value": other.value}]
    error = error_of(get("ErrorCode") or None, _error_text(fields)) if type_ == "MessageFailed" else None
    if type_ == "ProviderEventReceived":  # an unknown status has a recipient too
        kept = unknown(request, native or dict(fields), status=status, event_id=event_id)
        kept.channel, kept.provider_message_id, kept.echoed_message_id = channel, sid, own_id
        kept.handle, kept.occurred_at, kept.payload = customer, occurred_at, payload | kept.payload
        return [kept]
    event = Event(
        type_,
        request.source,
        event_id or fact_id("message", sid, status, recipient, get("RawDlrDoneDate")),
        channel=channel,
        direction="inbound" if inbound else "outbound",
        provider_message_id=sid,
        echoed_message_id=own_id,
        handle=customer,
        occurred_at=occurred_at,
        error=error,
        payload=payload,
    )
    if not inbound and (not native or native == fields):  # a report's parameters, none of them twice: flat, and texts
        keep_flat(event, fields, ROUTINE)
    else:
        keep_rest(event, native or fields, ROUTINE)
    if inbound and (consent_type := OPT_OUTS.get(get("OptOutType", "").upper())):
        return [event, _opt_out(consent_type, event)]
    return [event]


def click(data: dict[str, Any], request: Request, event_id: str) -> Event:
    """Return the event of a click on a message's link:
    https://www.twilio.com/docs/events/event-types/link-shortening/link. Raises Unprocessable."""
    recipient = text(data.get("to")) or ""
    channel = channel_of(text(data.get("from")) or "", recipient)
    payload = {
        key: value
        for key, name in (("url", "link"), ("userAgent", "user_agent"), ("from", "from"), ("to", "to"))
        if (value := text(data.get(name)))
    }
    sid = identifier(data.get("message_sid") or data.get("sms_sid"))
    if sid is None:
        raise Unprocessable("a click has no message id")
    time = from_text(data.get("click_time"))
    customer = customer_of(recipient, channel)
    return Event(
        "MessageClicked",
        request.source,
        event_id,
        channel=channel,
        direction="outbound",
        provider_message_id=sid,
        handle=customer,
        occurred_at=time,
        payload=payload,
    )


def _sid(fields: Fields) -> str | None:
    return fields.get("MessageSid") or fields.get("SmsSid") or fields.get("SmsMessageSid")


def _status(fields: Fields) -> str:
    # A read receipt of WhatsApp comes as an `EventType` after delivery.
    if fields.get("EventType", "").upper() == "READ":
        return "read"
    if status := fields.get("MessageStatus") or fields.get("SmsStatus"):
        return status.lower()
    # The documented parameters of an inbound message have no status, but have NumMedia: with an empty text and
    # without it, it may be a report that lost its status. Another product's event has a word of its own.
    documented = {"From", "To", "Body"} <= fields.keys() and "EventType" not in fields
    documented = documented and bool(fields["Body"] or "NumMedia" in fields)
    return "received" if documented and (_sid(fields) or "")[:2] in ("SM", "MM") else ""


def channel_of(sender: str, recipient: str) -> str:
    """Return the channel, by the prefix of either address."""
    for address in (sender, recipient):
        if ":" in address and (channel := PREFIXES.get(address.partition(":")[0].lower())):
            return channel
    return "sms"


def bare(address: str) -> str:
    """Return an address without its channel's prefix."""
    prefix, colon, rest = address.partition(":")
    return rest if colon and prefix.lower() in PREFIXES else address


def customer_of(address: str, channel: str) -> Handle | None:
    """Return the handle of an address, which may have its channel's prefix."""
    return handle(address if channel == "chat" else bare(address), channel)


def _error_text(fields: Fields) -> str | None:
    return fields.get("ErrorMessage") or fields.get("ChannelStatusMessage") or None


def _opt_out(type_: str, event: Event) -> Event:
    payload: dict[str, Any] = {key: event.payload[key] for key in ("from", "to") if key in event.payload}
    return Event(
        type_,
        event.source,
        fact_id("opt-out", event.source_event_id),
        channel=event.channel,
        direction="inbound",
        provider_message_id=event.provider_message_id,
        handle=event.handle,
        occurred_at=event.occurred_at,
        payload=payload,
    )
