"""Infobip's reports as events: what became of a message or call, that it was seen, that its mail was opened.

https://www.infobip.com/docs/api/channels/sms/outbound-sms/receive-outbound-sms-message-reports-v3,
…/channels/whatsapp/whatsapp-message-status-reports/receive-whatsapp-delivery-reports, …/receive-whatsapp-seen-reports,
…/channels/voice/receive-voice-delivery-reports, …/channels/email/receive-email-tracking-reports.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.infobip.errors import error_of
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.prices import price_of
from adapters.reading.times import from_text, from_unix
from schemas.events import Event, Handle

Item = dict[str, Any]

#: Names of states whose group does not say all: of these the message is still Infobip's, is the operator's, or nobody
#: knows, as no receipt came.
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
#: The same of a call.
CALL_GROUPS: dict[str, str] = {
    "ACCEPTED": "CallStarted",
    "PENDING": "CallStarted",
    "DELIVERED": "CallCompleted",
    "UNDELIVERABLE": "CallFailed",
    "EXPIRED": "CallFailed",
    "REJECTED": "CallFailed",
}
#: …/channels/email/receive-email-tracking-reports; clicks are told of other channels too.
TRACKED: dict[str, str] = {
    "OPENED": "MessageOpened",
    "CLICKED": "MessageClicked",
    "UNSUBSCRIBED": "RecipientUnsubscribed",
    "COMPLAINED": "MessageComplained",
    "LATE_BOUNCE": "MessageBounced",
}
_FAILED = frozenset({"MessageFailed", "MessageRejected", "MessageBounced", "CallFailed"})


def delivery(item: Item, told: str | None, request: Request) -> Event:
    """Return the event. Raises Unprocessable if there is no id."""
    get, message_id, channel = item.get, _required_id(item), _channel(item, told)
    status: Item = get("status") or {}
    name, group = (text(status.get(key)) or "" for key in ("name", "groupName"))
    if channel == "voice":
        type_ = CALL_GROUPS.get(group.upper(), "ProviderEventReceived")
    else:
        type_ = STATUSES.get(name.upper()) or GROUPS.get(group.upper(), "ProviderEventReceived")
    if channel == "email" and type_ == "MessageFailed":
        type_ = "MessageBounced"
    customer = dialled(get("to"), channel)
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


def seen(item: Item, told: str | None, request: Request) -> Event:
    """Its `to` is the recipient's, as in the delivery report. Raises Unprocessable if there is no id."""
    message_id, channel, when = _required_id(item), _channel(item, told), text(item.get("seenAt"))
    customer = dialled(item.get("to"), channel)
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


def tracked(item: Item, told: str | None, request: Request) -> Event:
    """An open, a click, a complaint, a refusal of more, a bounce after delivery. Raises Unprocessable if there is no
    id."""
    get, word = item.get, (text(item.get("notificationType")) or "").upper()
    message_id = identifier(get("messageId"))
    recipient = text(get("recipient")) or ""
    channel = told or ("email" if "@" in recipient else None)
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
    """Its `pricePerMessage`; of a call `pricePerSecond` is no price of it."""
    said = item.get("price")
    return price_of(said.get("pricePerMessage"), said.get("currency")) if isinstance(said, dict) else None


def _channel(item: Item, told: str | None) -> str | None:
    """What the report lets know: a call's has `voiceCall`, a mail's an address, one over mobile networks their code."""
    if isinstance(item.get("voiceCall"), dict):
        return "voice"
    if told is not None:
        return told
    recipient, network = item.get("to"), item.get("mccMnc")
    if isinstance(recipient, str) and "@" in recipient:
        return "email"
    return "sms" if isinstance(network, str) and network.isdigit() else None


def _payload(item: Item, customer: Handle | None, status: str) -> Item:
    payload: Item = {"providerStatus": status[:255]} if status else {}
    if customer is not None:
        payload["to"] = customer.value
    if sender := text(item.get("sender")) or text(item.get("from")):
        ours = dialled(sender, "sms")
        payload["from"] = ours.value if ours is not None else sender[:255]
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
        raise Unprocessable("a report of no message")
    return found


def _milliseconds(value: Any) -> Any:
    return from_unix(value / 1000) if type(value) is int and abs(value) < 1 << 53 else from_text(value)
