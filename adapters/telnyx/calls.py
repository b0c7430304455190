"""Reads Telnyx's events of calls: https://developers.telnyx.com/docs/voice/programmable-voice/receiving-webhooks"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import caller
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.times import from_text
from schemas.events import Error, Event

#: The events of a call's life; others are actions of an application during the call.
CALLS: dict[str, str] = {
    "call.initiated": "CallStarted",
    "call.answered": "CallStarted",
    "call.hangup": "CallCompleted",
    "call.recording.saved": "CallRecorded",
}
#: `hangup_cause` of a call that took place, and of one that failed.
ENDED = frozenset({"", "normal_clearing", "time_limit"})
CAUSES: dict[str, str] = {
    "originator_cancel": "unknown",
    "timeout": "unreachable",
    "user_busy": "unreachable",
    "no_answer": "unreachable",
    "call_rejected": "blocked",
    "not_found": "invalid_address",
    "unspecified": "unknown",
}


def event(kind: str, payload: dict[str, Any], event_id: str, at: str | None, request: Request) -> Event:
    """Return the event of one kind of `CALLS`. Raises Unprocessable."""
    leg = identifier(payload.get("call_leg_id"))
    if leg is None:
        raise Unprocessable("an event of no call: it has no call_leg_id")
    inbound = payload.get("direction") == "incoming"
    sender, recipient = text(payload.get("from")), text(payload.get("to"))
    cause = (text(payload.get("hangup_cause")) or "").lower()
    type = CALLS[kind]
    if kind == "call.hangup" and cause not in ENDED:
        type = "CallFailed" if cause in CAUSES else "ProviderEventReceived"
    fields: dict[str, Any] = {"providerStatus": kind}
    fields |= {key: value for key, value in (("from", sender), ("to", recipient)) if value}
    event = Event(
        type,
        request.source,
        event_id,
        channel="voice",
        direction="inbound" if inbound else "outbound",
        provider_message_id=leg,
    )
    event.handle = caller(sender if inbound else recipient)
    event.occurred_at = from_text(at)
    if payload.get("direction") not in ("incoming", "outgoing"):  # a recording has no direction
        event.direction = event.handle = None
    if type == "CallFailed":
        event.error = Error(text(payload.get("sip_hangup_cause")) or cause, cause, CAUSES[cause])
    began, ended = (
        ("recording_started_at", "recording_ended_at") if type == "CallRecorded" else ("start_time", "end_time")
    )
    first, last = from_text(text(payload.get(began))), from_text(text(payload.get(ended)))
    if type in ("CallCompleted", "CallRecorded") and first is not None and last is not None and last >= first:
        fields["duration"] = (last - first).total_seconds()
    if type == "CallRecorded":
        urls = payload.get("public_recording_urls") or payload.get("recording_urls")
        url = next((url for url in urls.values() if isinstance(url, str)), None) if isinstance(urls, dict) else None
        if url:
            fields["content"] = {"audioUrl": url}
    if type == "ProviderEventReceived":  # the call has ended, but whether it took place is not known
        fields |= {"providerStatus": f"{kind}.{cause}"[:255], "native": unknown(request, payload).payload["native"]}
    event.payload = fields
    return event
