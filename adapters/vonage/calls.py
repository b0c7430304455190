"""Reads the Voice API's webhooks: a call's statuses, its answer, its recordings, and input during it.

https://developer.vonage.com/en/voice/voice-api/webhook-reference. A recording names the conversation, not the call.
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import handle, phone
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.prices import price_of
from adapters.reading.times import from_text
from schemas.events import Error, Event, Handle

Fields = dict[str, Any]

#: …/webhook-reference#event-webhook
STATUSES: dict[str, str] = {
    "started": "CallStarted",
    "ringing": "CallStarted",
    "answered": "CallStarted",
    "completed": "CallCompleted",
    "busy": "CallFailed",
    "cancelled": "CallFailed",
    "failed": "CallFailed",
    "rejected": "CallFailed",
    "timeout": "CallFailed",
    "unanswered": "CallFailed",
}
#: `rejected` means by Vonage, before the call was connected.
STATUS_REASONS: dict[str, str] = {
    "busy": "unreachable",
    "timeout": "unreachable",
    "unanswered": "unreachable",
    "rejected": "blocked",
}
_IDS = ("uuid", "call_uuid", "conversation_uuid")


def is_call(fields: Fields) -> bool:
    """Return whether the parameters are about a call or its conversation."""
    return any([name in fields for name in (*_IDS, "conversation_uuid_from")])


def wants_instructions(fields: Fields) -> bool:
    """Return whether the request is an answer webhook: it alone has no status of the call."""
    names = ("status", "recording_url", "reason", "dtmf", "speech", "conversation_uuid_from")
    return "conversation_uuid" in fields and "from" in fields and not any([name in fields for name in names])


def event(fields: Fields, request: Request) -> Event:
    """Return the event. Raises Unprocessable."""
    status = (text(fields.get("status")) or "").lower()
    if text(fields.get("recording_url")):
        return _recording(fields, request)
    if status in STATUSES:
        return _call(fields, status, request)
    return _answered(fields, request) if wants_instructions(fields) else _within(fields, status, request)


def _call(fields: Fields, status: str, request: Request) -> Event:
    get = fields.get
    type_ = STATUSES[status]
    call_id = identifier(get("uuid")) or identifier(get("conversation_uuid"))
    payload = _common(fields, status)
    if (duration := count(get("duration"))) is not None:
        payload["duration"] = duration
    if price := price_of(get("price"), "EUR"):  # the page gives the currency
        payload["price"] = price
    error = None
    if type_ == "CallFailed":
        code = text(get("sip_code"))
        error = Error(code, text(get("detail")) or status, STATUS_REASONS.get(status, "unknown"))
    return Event(
        type_,
        request.source,
        fact_id("call", call_id, status, text(get("timestamp"))),
        channel="voice",
        direction=_direction(fields),
        provider_message_id=call_id,
        handle=_customer(fields),
        occurred_at=from_text(get("timestamp")),
        error=error,
        payload=payload,
    )


def _recording(fields: Fields, request: Request) -> Event:
    get = fields.get
    call_id = identifier(get("uuid")) or identifier(get("conversation_uuid"))
    payload = _common(fields, "recorded")
    payload["content"] = {"audioUrl": text(get("recording_url"))}
    began, ended = from_text(get("start_time")), from_text(get("end_time"))
    if began is not None and ended is not None and 0 <= (seconds := (ended - began).total_seconds()) < 86400:
        payload["duration"] = seconds
    return Event(
        "CallRecorded",
        request.source,
        fact_id("recording", call_id, text(get("recording_uuid")), text(get("recording_url"))),
        channel="voice",
        direction=_direction(fields),
        provider_message_id=call_id,
        handle=_customer(fields),
        occurred_at=from_text(get("timestamp")) or ended,
        payload=payload,
    )


def _answered(fields: Fields, request: Request) -> Event:
    """Return the event of the answer webhook (…/webhook-reference#answer-webhook): a call was answered. It does not say
    whether the call came in or was made by us, so the event names no customer; the call's statuses do."""
    call_id = identifier(fields.get("uuid")) or identifier(fields.get("conversation_uuid"))
    return Event(
        "CallStarted",
        request.source,
        fact_id("answer", call_id),
        channel="voice",
        direction=_direction(fields),
        provider_message_id=call_id,
        handle=_customer(fields),
        occurred_at=from_text(fields.get("timestamp")),
        payload=_common(fields, "answer"),
    )


def _within(fields: Fields, status: str, request: Request) -> Event:
    """Return an unknown event for a request that is not a status: input, transfer, an answering machine, an error."""
    found = unknown(request, whole_of(request), status=status or None)
    found.channel, found.direction, found.handle = "voice", _direction(fields), _customer(fields)
    found.provider_message_id = next((known for name in _IDS if (known := identifier(fields.get(name)))), None)
    found.occurred_at = from_text(fields.get("timestamp"))
    return found


def _common(fields: Fields, status: str) -> Fields:
    payload: Fields = {"providerStatus": status}
    for key in ("from", "to"):
        if value := text(fields.get(key)):
            found = phone(value)
            payload[key] = found.value if found is not None else value[:255]
    if conversation := identifier(fields.get("conversation_uuid")):
        payload["conversationId"] = conversation
    return payload


def _direction(fields: Fields) -> str | None:
    direction = fields.get("direction")
    return direction if isinstance(direction, str) and direction in ("inbound", "outbound") else None


def _customer(fields: Fields) -> Handle | None:
    direction = _direction(fields)
    value = fields.get("from" if direction == "inbound" else "to") if direction else None
    if not isinstance(value, str) or value.lower() in ("unknown", "anonymous", "restricted", "unavailable"):
        return None
    return phone(value) if value.isdigit() else handle(value, "voice")
