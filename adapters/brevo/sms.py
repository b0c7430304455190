"""Reads Brevo's events of outbound SMS:
https://developers.brevo.com/docs/transactional-webhooks#transactional-sms-events.

Its `date` has no zone, so it is not used.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import phone
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from schemas.events import Error, Event

#: `msg_status`. The words of consent are events of https://developers.brevo.com/reference/createwebhook, type SMS.
STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "soft_bounce": "MessageFailed",
    "hard_bounce": "MessageFailed",
    "unsubscribe": "RecipientUnsubscribed",
    "subscribe": "RecipientSubscribed",
}
_WISHES = frozenset({"unsubscribe", "subscribe"})
#: The reason for a failure, by `msg_status`.
FAILURES: dict[str, str] = {"soft_bounce": "unreachable", "hard_bounce": "invalid_address"}


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event. Raises Unprocessable if it is about no message and no number."""
    get = item.get
    given, to = text(get("msg_status")) or "", text(get("to"))
    word = spelled(given, STATUSES)
    type_, message_id = STATUSES.get(word), identifier(get("messageId"))
    if message_id is None and to is None:
        raise Unprocessable("an event has neither a message id nor a number")
    if type_ is None:
        made = unknown(request, item, status=word or None)
    else:
        # A person may change their mind, and back.
        at = (text(get("ts_event")) or text(get("date")),) if word in _WISHES else ()
        event_id = fact_id("brevo", "sms", word, message_id, to, *at)
        made = Event(type_, request.source, event_id, payload={"providerStatus": given})
    made.channel, made.direction, made.provider_message_id = "sms", "outbound", message_id
    made.handle, made.occurred_at = phone(to), from_unix(get("ts_event"))
    if to:
        made.payload["to"] = made.handle.value if made.handle else to
    if (parts := count(get("sms_count"))) is not None and parts <= 100_000:
        made.payload["segments"] = parts
    if word in FAILURES:
        made.error = Error(word, text(get("reason")), FAILURES[word])
    return made
