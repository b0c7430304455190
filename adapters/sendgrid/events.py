"""Reads the items of SendGrid's event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from schemas.events import Error, Event

#: …/tracking-events/event, delivery, engagement and account events.
EVENT_TYPES: dict[str, str] = {
    "processed": "MessageQueued",
    "deferred": "MessageDelayed",
    "delivered": "MessageDelivered",
    "bounce": "MessageBounced",
    "dropped": "MessageRejected",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "spamreport": "MessageComplained",
    "unsubscribe": "RecipientUnsubscribed",
    "group_unsubscribe": "RecipientUnsubscribed",
    "group_resubscribe": "RecipientSubscribed",
    "account_status_change": "ProviderEventReceived",
}
#: https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications
CLASSIFICATIONS: dict[str, str] = {
    "invalid address": "invalid_address",
    "mailbox unavailable": "unreachable",
    "technical": "unreachable",
    "technical failure": "unreachable",
    "reputation": "blocked",
    "content": "content",
    "frequency or volume too high": "rate",
}
#: …/tracking-events/event#dropped: why SendGrid made no attempt.
DROPS: dict[str, str] = {
    "invalid": "invalid_address",
    "bounced address": "invalid_address",
    "unsubscribed address": "opted_out",
    "spam reporting address": "opted_out",
    "spam content": "spam",
    "invalid smtpapi header": "content",
    "recipient list over package quota": "rate",
}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected"})
#: Events whose `ip` is the recipient's; a delivery's is SendGrid's own.
_ENGAGED = frozenset({"open", "click", "unsubscribe", "group_unsubscribe", "group_resubscribe"})
#: Keys that add nothing to what their event has.
_READ = frozenset({"event", "email", "timestamp", "sg_event_id", "sg_message_id", "sg_machine_open"})
_READ_WITH_GROUP = _READ | {"asm_group_id"}
_COPIED = (("url", "url"), ("userAgent", "useragent"), ("ip", "ip"))


def event(item: Any, request: Request) -> Event:
    """Return the event of one item. Raises Unprocessable."""
    if not isinstance(item, dict):
        raise Unprocessable("an item is not an object")
    get = item.get
    given = text(get("event"))
    word = spelled(given, EVENT_TYPES)
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    event_id, message_id = identifier(get("sg_event_id")), _message_id(identifier(get("sg_message_id")))
    email, time = get("email"), from_unix(get("timestamp"))
    customer = handle(email, "email")
    if type_ == "ProviderEventReceived":
        kept = unknown(request, item, status=given, event_id=event_id)
        kept.occurred_at = time
        if message_id is not None:
            kept.channel, kept.direction = "email", "outbound"
            kept.provider_message_id, kept.handle = message_id, customer
        return kept
    if event_id is None:
        if message_id is None and not email:
            raise Unprocessable("an event has neither a message id nor an address")
        event_id = fact_id("sendgrid", message_id, text(email), word, text(get("timestamp")), text(get("url")))
    payload: dict[str, Any] = {"providerStatus": given}
    if customer is not None:
        payload["to"] = customer.value
    elif isinstance(email, str) and email:
        payload["to"] = email[:2048]
    if reference := get("reference"):
        if isinstance(reference, str):
            payload["reference"] = reference
    if word in _ENGAGED:
        for key, name in _COPIED:
            if (value := get(name)) and isinstance(value, str):
                payload[key] = value
        if get("sg_machine_open") is True:
            payload["machineOpen"] = True
        # Every event of a mail with a group has it; this one is "Opt Out of All Emails".
        if word != "unsubscribe" and (group := text(get("asm_group_id"))) is not None:
            payload["unsubscribeGroup"] = group
    elif word == "bounce" and (kind := text(get("type"))):
        payload["bounceType"] = kind
    made = Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(get(NAME)),
        handle=customer,
        occurred_at=time,
        error=_error(word, item) if type_ in _FAILURES else None,
        payload=payload,
    )
    # Categories, custom arguments, the server's response, the attempt.
    return keep_flat(made, item, _READ_WITH_GROUP if "unsubscribeGroup" in payload else _READ)


def _message_id(sg_message_id: str | None) -> str | None:
    """Return the X-Message-Id of the send's response, which all its recipients share: `sg_message_id` is that, followed by
    `.filter` or `.recvd` with the server and the recipient's number (https://www.twilio.com/docs/glossary/message-id,
    https://support.sendgrid.com/hc/en-us/articles/35804743679259)."""
    if sg_message_id is None:
        return None
    ends = [at for mark in (".filter", ".recvd") if (at := sg_message_id.find(mark)) > 0]
    # The X-Message-Id has no dot, so an unknown suffix begins at the first dot.
    return sg_message_id[: min(ends)] if ends else sg_message_id.partition(".")[0] or sg_message_id


def _error(word: str, item: dict[str, Any]) -> Error:
    status, words = text(item.get("status")), text(item.get("reason")) or text(item.get("response"))
    code = code_of(status, words)
    if word == "dropped":
        return Error(code, words, DROPS.get((words or "").lower(), "unknown"))
    reason = CLASSIFICATIONS.get((text(item.get("bounce_classification")) or "").lower()) or reason_of(code)
    if reason == "unknown" and item.get("type") == "blocked":
        reason = "blocked"
    return Error(code, words, reason)
