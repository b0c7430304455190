"""Reads Infobip's reports: delivery of a message or call, messages seen, and tracking of mail.

https://www.infobip.com/docs/api/channels/sms/outbound-sms/receive-outbound-sms-message-reports-v3,
…/channels/whatsapp/whatsapp-message-status-reports/receive-whatsapp-delivery-reports, …/receive-whatsapp-seen-reports,
…/channels/voice/receive-voice-delivery-reports, …/channels/email/receive-email-tracking-reports. Those of the Messages
API: https://github.com/infobip/infobip-api-php-client (MessagesApiDeliveryReport, MessagesApiSeenReport).
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.infobip.channels import CHATS, channel_named, customer_of, ours_of, word_of
from adapters.infobip.errors import error_of
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.prices import price_of
from adapters.reading.times import from_text, from_unix
from schemas.events import Event, Handle

Item = dict[str, Any]

#: Statuses that are more precise than their group: the message is still at Infobip, is at the operator, or its state is
#: unknown because no receipt came.
STATUSES: dict[str, str] = {
    "PENDING_ACCEPTED": "MessageQueued",
    "PENDING_WAITING_DELIVERY": "UserMessageSent",
    "PENDING_ENROUTE": "UserMessageSent",
    "DELIVERED_TO_OPERATOR": "UserMessageSent",
    "EXPIRED_DLR_UNKNOWN": "ProviderEventReceived",
}
#: https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes#status-object
GROUPS: dict[str, str] = {
    "ACCEPTED": "MessageQueued",
    "PENDING": "MessageQueued",
    "DELIVERED": "MessageDelivered",
    "UNDELIVERABLE": "MessageFailed",
    "EXPIRED": "MessageFailed",
    "REJECTED": "MessageRejected",
}
#: The groups of a call's status.
CALL_GROUPS: dict[str, str] = {
    "ACCEPTED": "CallStarted",
    "PENDING": "CallStarted",
    "DELIVERED": "CallCompleted",
    "UNDELIVERABLE": "CallFailed",
    "EXPIRED": "CallFailed",
    "REJECTED": "CallFailed",
}
#: …/channels/email/receive-email-tracking-reports; clicks are reported for other channels too.
TRACKED: dict[str, str] = {
    "OPENED": "MessageOpened",
    "CLICKED": "MessageClicked",
    "UNSUBSCRIBED": "RecipientUnsubscribed",
    "COMPLAINED": "MessageComplained",
    "LATE_BOUNCE": "MessageBounced",
}
_FAILED = frozenset({"MessageFailed", "MessageRejected", "MessageBounced", "CallFailed"})


def delivery(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of a delivery report. Raises Unprocessable if it has no id."""
    get, message_id, channel = item.get, _required_id(item), _channel(item, url_channel)
    status: Item = get("status") or {}
    name, group = (text(status.get(key)) or "" for key in ("name", "groupName"))
    if channel == "voice":
        type_ = CALL_GROUPS.get(group.upper(), "ProviderEventReceived")
    else:
        type_ = STATUSES.get(name.upper()) or GROUPS.get(group.upper(), "ProviderEventReceived")
    if channel == "email" and type_ == "MessageFailed":
        type_ = "MessageBounced"
    customer = _recipient(item, channel)
    payload = _payload(item, customer, name or group)
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if channel == "sms" and (segments := count(get("messageCount", get("smsCount")))) is not None:
        payload["segments"] = segments
    call = get("voiceCall")
    if isinstance(call, dict) and (duration := count(call.get("duration"))) is not None:
        payload["duration"] = duration
    when, error = text(get("doneAt")) or text(get("sentAt")), get("error")
    error_name = text(error.get("name")) if isinstance(error, dict) else None
    return Event(
        type_,
        request.source,
        fact_id("report", message_id, text(get("to")), name or group, error_name, when),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(when),
        error=error_of(error, status) if type_ in _FAILED else None,
        payload=payload,
    )


def seen(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of a seen report, whose recipient is in `to` or `destination`. Raises Unprocessable if it has no id."""
    message_id, channel, when = _required_id(item), _channel(item, url_channel), text(item.get("seenAt"))
    customer = _recipient(item, channel)
    return Event(
        "MessageRead",
        request.source,
        fact_id("seen", message_id, when),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(when),
        payload=_payload(item, customer, "seen"),
    )


def tracked(item: Item, url_channel: str | None, request: Request) -> Event:
    """Return the event of an open, a click, a complaint, an unsubscription or a late bounce."""
    get, word = item.get, (text(item.get("notificationType")) or "").upper()
    message_id = identifier(get("messageId"))
    recipient = text(get("recipient")) or ""
    channel = url_channel or ("email" if "@" in recipient else None)
    customer = dialled(recipient, channel)
    type_ = TRACKED.get(word)
    when = get("sendDateTime")
    if type_ is None or message_id is None:
        event = unknown(request, item, status=word or None)
        event.channel, event.direction, event.provider_message_id = channel, "outbound", message_id
        event.handle, event.occurred_at = customer, _milliseconds(when)
        return event
    payload = _payload(item, customer, word)
    if url := text(get("url")):
        payload["url"] = url[:8192]
    return Event(
        type_,
        request.source,
        fact_id("tracked", message_id, recipient, word, text(when), text(get("url"))),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=_milliseconds(when),
        error=error_of(get("error"), get("status")) if type_ in _FAILED else None,
        payload=payload,
    )


def cost(item: Item) -> dict[str, str] | None:
    """Return the price of a message (`pricePerMessage`); a call's `pricePerSecond` is not its price."""
    price = item.get("price")
    return price_of(price.get("pricePerMessage"), price.get("currency")) if isinstance(price, dict) else None


def _channel(item: Item, url_channel: str | None) -> str | None:
    """Return the channel: by its word, if there is one; else a call has `voiceCall`, a mail an e-mail address, an SMS a
    mobile network's code or a number of SMS."""
    if isinstance(item.get("voiceCall"), dict):
        return "voice"
    if named := channel_named(word_of(item)):
        return named
    if url_channel is not None:
        return url_channel
    recipient, network = item.get("to") or item.get("destination"), item.get("mccMnc")
    if isinstance(recipient, str) and "@" in recipient:
        return "email"
    return "sms" if (isinstance(network, str) and network.isdigit()) or "smsCount" in item else None


def _recipient(item: Item, channel: str | None) -> Handle | None:
    """Return the recipient, who is in `to`, or in `destination` of the Messages API."""
    return customer_of(item.get("to") or item.get("destination"), word_of(item), channel)


def _payload(item: Item, customer: Handle | None, status: str) -> Item:
    payload: Item = {"providerStatus": status[:255]} if status else {}
    if customer is not None:
        payload["to"] = customer.value
    word = word_of(item)
    if ours := ours_of(item.get("sender") or item.get("from"), word, "chat" if word in CHATS else "sms"):
        payload["from"] = ours
    if reference := text(item.get("callbackData")):
        payload["reference"] = reference[:1024]
    network = item.get("mccMnc")
    if isinstance(network, str) and network.isdigit():
        payload["carrier"] = network[:255]
    if (price := cost(item)) is not None:
        payload["price"] = price
    return payload


def _required_id(item: Item) -> str:
    if (found := identifier(item.get("messageId"))) is None:
        raise Unprocessable("a report has no message id")
    return found


def _milliseconds(value: Any) -> Any:
    return from_unix(value / 1000) if type(value) is int and abs(value) < 1 << 53 else from_text(value)
