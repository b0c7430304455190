"""Reads the calls of WhatsApp, and the statuses of calls that the business makes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-initiated-calls,
…/calling/business-initiated-calls. What is said by SDP (`session`, `connection`) is signalling, and is left out.
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.facts import count, fact_id, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.whatsapp_cloud.errors import error_of
from adapters.whatsapp_cloud.messages import Item, customer_of, payload_of, required_id
from schemas.events import Error, Event

#: A call's `event`; how it ended is its `status`.
CALL_EVENTS: dict[str, str] = {"connect": "CallStarted", "terminate": "CallCompleted"}
#: The statuses of a call that the business makes.
CALL_STATUSES: dict[str, str] = {"RINGING": "CallStarted", "ACCEPTED": "CallStarted", "REJECTED": "CallFailed"}
_READ = frozenset(
    "id from to from_user_id to_user_id timestamp session connection event type direction duration status errors"
    " recipient_id recipient_user_id biz_opaque_callback_data".split()
)


def call(item: Item, value: Item, request: Request) -> Event:
    """Return the event of a call that begins or ends. Raises Unprocessable."""
    call_id, word = required_id(item), text(item.get("event")) or ""
    outbound = item.get("direction") == "BUSINESS_INITIATED"
    who = "to" if outbound else "from"
    type_, ended = CALL_EVENTS.get(spelled(word, CALL_EVENTS)), _word(item.get("status"))
    if type_ == "CallCompleted" and (ended or "").upper() == "FAILED":
        type_ = "CallFailed"
    error = None
    if type_ == "CallFailed":
        error = error_of(item["errors"]) if item.get("errors") else Error(None, ended, "unknown")
    event = _event(type_, word, item, value, request, who=who, outbound=outbound, call_id=call_id, error=error)
    if type_ == "CallCompleted" and (seconds := count(item.get("duration"))) is not None:
        event.payload["duration"] = seconds
    return keep_rest(event, item, _READ)


def call_status(item: Item, value: Item, request: Request) -> Event:
    """Return the event of a status of a call that the business makes. Raises Unprocessable."""
    call_id, word = required_id(item), text(item.get("status")) or ""
    type_ = CALL_STATUSES.get(spelled(word, CALL_STATUSES))
    error = Error(None, word, "blocked") if type_ == "CallFailed" else None
    event = _event(type_, word, item, value, request, who="recipient", outbound=True, call_id=call_id, error=error)
    return keep_rest(event, item, _READ)


def _event(
    type_: str | None,
    word: str,
    item: Item,
    value: Item,
    request: Request,
    *,
    who: str,
    outbound: bool,
    call_id: str,
    error: Error | None,
) -> Event:
    number = item.get("recipient_id") if who == "recipient" else item.get(who)
    customer, others = customer_of(number, item.get(f"{who}_user_id"))
    payload = payload_of(word, value, customer, others, outbound)
    if reference := text(item.get("biz_opaque_callback_data")):
        payload["reference"] = reference
    if type_ is None:
        payload["native"] = unknown(request, item).payload["native"]
    return Event(
        type_ or "ProviderEventReceived",
        request.source,
        fact_id("call", call_id, word, text(item.get("timestamp"))),
        channel="voice",
        direction="outbound" if outbound else "inbound",
        provider_message_id=call_id,
        handle=customer,
        occurred_at=from_unix(item.get("timestamp")),
        error=error,
        payload=payload,
    )


def _word(status: Any) -> str | None:
    """Return how a call ended: a word, which older versions of the API write in a list."""
    return text(status[0] if isinstance(status, list) and status else status)
