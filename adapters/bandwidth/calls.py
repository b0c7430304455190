"""Reads Bandwidth's events of calls. https://dev.bandwidth.com/docs/voice/webhooks"""

import re
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import caller
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.times import from_text
from schemas.events import Error, Event

#: …/voice/webhooks: `eventType`; the other types report an application's steps within a call.
CALLS: dict[str, str] = {
    "initiate": "CallStarted",
    "answer": "CallStarted",
    "disconnect": "CallCompleted",
    "recordingAvailable": "CallRecorded",
}
#: …/voice/webhooks/disconnect: the causes of a call that took place, and those of one that failed, with our reason.
ENDED = frozenset({"", "hangup"})
CAUSES: dict[str, str] = {
    "busy": "unreachable",
    "timeout": "unreachable",
    "cancel": "unknown",
    "rejected": "blocked",
    "callback-error": "unknown",
    "invalid-bxml": "unknown",
    "application-error": "unknown",
    "account-limit": "rate",
    "node-capacity-exceeded": "rate",
    "error": "unknown",
    "unknown": "unknown",
}
_DURATION = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,8}(?:\.\d{1,9})?)S)?")


def event(item: dict[str, Any], request: Request) -> Event:
    """Return the event of a call's webhook. Raises Unprocessable."""
    kind, call_id = text(item.get("eventType")) or "", identifier(item.get("callId"))
    time, way = text(item.get("eventTime")), (text(item.get("direction")) or "").lower()
    inbound = way == "inbound"
    sender, recipient = text(item.get("from")), text(item.get("to"))
    type = CALLS.get(kind)
    cause = (text(item.get("cause")) or "").lower()
    if type == "CallCompleted" and cause not in ENDED:
        type = "CallFailed" if cause in CAUSES else None
    if type is None:
        event = unknown(request, item, status=f"{kind}.{cause}" if cause else kind or None)
    elif call_id is None:
        raise Unprocessable("an event of no call: it has no callId")
    else:
        ids = ("call", call_id, kind, text(item.get("recordingId")), time)
        event = Event(type, request.source, fact_id(*ids), payload={"providerStatus": kind})
    event.channel, event.direction = "voice", way if way in ("inbound", "outbound") else None
    event.provider_message_id, event.occurred_at = call_id, from_text(time)
    event.handle = caller(sender if inbound else recipient) if event.direction else None
    event.payload |= {key: value for key, value in (("from", sender), ("to", recipient)) if value}
    if tag := text(item.get("tag")):
        event.payload["reference"] = tag[:1024]
    if type == "CallFailed":
        code = text(item.get("errorId"))
        event.error = Error(code or cause, text(item.get("errorMessage")) or cause, CAUSES[cause])
    if type == "CallCompleted":
        began, ended = from_text(text(item.get("answerTime"))), from_text(text(item.get("endTime")))
        if began is not None and ended is not None and ended >= began:
            event.payload["duration"] = (ended - began).total_seconds()
    if type == "CallRecorded":
        if url := text(item.get("mediaUrl")):
            event.payload["content"] = {"audioUrl": url}
        if (seconds := _seconds(item.get("duration"))) is not None:
            event.payload["duration"] = seconds
    return event


def _seconds(value: Any) -> float | None:
    """Return the seconds of an ISO 8601 duration such as PT13.67S, or None if it is none."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) and 2 < len(value) < 32 else None
    if found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
