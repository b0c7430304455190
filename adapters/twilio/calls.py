"""Reads the parameters of Twilio's calls (`CallSid`) and recordings (`RecordingSid`).

Requests for instructions: https://www.twilio.com/docs/voice/twiml#request-parameters. Status callbacks:
https://www.twilio.com/docs/voice/api/call-resource#statuscallback. Recordings:
https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback, and their text:
https://www.twilio.com/docs/voice/twiml/record#transcribecallback.
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import handle
from adapters.reading.facts import count, fact_id, identifier, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from schemas.events import Error, Event, Handle

Fields = dict[str, str]

#: https://www.twilio.com/docs/voice/api/call-resource#call-status-values, and `initiated`, the callback's word.
CALL_STATUSES: dict[str, str] = {
    "queued": "CallStarted",
    "initiated": "CallStarted",
    "ringing": "CallStarted",
    "in-progress": "CallStarted",
    "completed": "CallCompleted",
    "busy": "CallFailed",
    "no-answer": "CallFailed",
    "canceled": "CallFailed",
    "failed": "CallFailed",
}
#: Reasons of the statuses that imply one; for `failed` the SIP response does.
STATUS_REASONS: dict[str, str] = {"busy": "unreachable", "no-answer": "unreachable"}
#: SIP responses (RFC 3261 section 21, RFC 8197) that Twilio passes on as `SipResponseCode`.
SIP_REASONS: dict[str, str] = {
    "403": "blocked",
    "404": "invalid_address",
    "408": "unreachable",
    "410": "invalid_address",
    "480": "unreachable",
    "484": "invalid_address",
    "486": "unreachable",
    "503": "unreachable",
    "600": "unreachable",
    "603": "blocked",
    "604": "invalid_address",
    "607": "blocked",
    "608": "blocked",
}
#: https://www.twilio.com/docs/voice/api/recording#recording-status-values; in other states there is no audio yet.
RECORDED = "completed"
#: Input or actions during a call (https://www.twilio.com/docs/voice/twiml/gather, /dial, /enqueue), which do not
#: change its status.
_WITHIN = frozenset(
    "Digits SpeechResult DialCallStatus QueueResult FinishedOnKey PaymentConfirmationCode TranscriptionStatus".split()
)
#: Parameters of a recording that add nothing to what its event has.
_READ = frozenset(
    "AccountSid ApiVersion CallSid CallStatus Direction From To Caller Called Timestamp CallbackSource SequenceNumber"
    " CallDuration RecordingDuration RecordingStatus TranscriptionStatus".split()
)
#: How Twilio writes withheld caller ids: numbers that belong to no one
#: (https://help.twilio.com/articles/223179988-Why-am-I-getting-calls-from-these-strange-numbers).
_WITHHELD = frozenset({"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "anonymous"})


def events(fields: Fields, request: Request, *, own_id: str | None = None) -> list[Event]:
    """Return the event of a call's status, and of its recording if the request has one. Raises Unprocessable."""
    status = fields.get("CallStatus", "").lower()
    found = []
    transcribed = fields.get("TranscriptionStatus", "").lower()
    if status in CALL_STATUSES and _WITHIN.isdisjoint(fields):
        found.append(_call(fields, status, request))
    if (
        fields.get("RecordingUrl")
        and fields.get("RecordingStatus", RECORDED) == RECORDED
        and transcribed in ("", RECORDED)
    ):
        found.append(_recording(fields, request))
    found = found or [_within(fields, status, request)]
    for event in found:
        event.echoed_message_id = own_id
    return found


def _within(fields: Fields, status: str, request: Request) -> Event:
    """Return an unknown event about the call, for a request that is not a status of it."""
    word = fields.get("TranscriptionStatus") or fields.get("RecordingStatus") or status
    event = unknown(request, fields, status=word or None)
    event.channel, event.direction, event.handle = "voice", _direction(fields), _customer(fields)
    event.provider_message_id = identifier(fields.get("CallSid"))
    return event


def _call(fields: Fields, status: str, request: Request) -> Event:
    get = fields.get
    type_ = CALL_STATUSES[status]
    sid = identifier(get("CallSid"))
    payload = _common(fields, status)
    if (duration := count(get("CallDuration"))) is not None:
        payload["duration"] = duration
    error = None
    if type_ == "CallFailed":
        code = get("ErrorCode") or get("SipResponseCode") or None
        reason = STATUS_REASONS.get(status) or SIP_REASONS.get(get("SipResponseCode", ""), "unknown")
        error = Error(code, get("ErrorMessage") or status, reason)
    event = Event(
        type_,
        request.source,
        fact_id("call", sid, status, get("SequenceNumber"), get("Timestamp")),
        channel="voice",
        direction=_direction(fields),
        provider_message_id=sid,
        handle=_customer(fields),
        occurred_at=from_text(get("Timestamp")),
        error=error,
        payload=payload,
    )
    return keep_rest(event, fields, _READ)


def _recording(fields: Fields, request: Request) -> Event:
    get = fields.get
    sid = identifier(get("CallSid"))
    payload = _common(fields, get("RecordingStatus") or RECORDED)
    payload["content"] = {"audioUrl": get("RecordingUrl")}
    if words := get("TranscriptionText"):
        payload["content"]["text"] = words
    if (duration := count(get("RecordingDuration"))) is not None:
        payload["duration"] = duration
    event = Event(
        "CallRecorded",
        request.source,
        # Sent up to three times, with different parameters each: to the callback of the recording, the verb and the
        # call.
        fact_id("recording", sid, get("RecordingSid"), get("RecordingUrl"), get("RecordingStatus"), get("CallStatus"))
        if "TranscriptionSid" not in fields
        else fact_id("transcription", sid, get("TranscriptionSid")),
        channel="voice",
        direction=_direction(fields),
        provider_message_id=sid,
        handle=_customer(fields),
        # RecordingStartTime is when the recording began, not when it became available.
        occurred_at=from_text(get("Timestamp")),
        payload=payload,
    )
    return keep_rest(event, fields, _READ)


def _common(fields: Fields, status: str) -> dict[str, Any]:
    payload: dict[str, Any] = {"providerStatus": status}
    for key, name in (("from", "From"), ("to", "To"), ("displayName", "CallerName")):
        if value := fields.get(name):
            payload[key] = value
    return payload


def _direction(fields: Fields) -> str | None:
    """Return the direction, from `inbound`, `outbound-api` or `outbound-dial`; a recording's callback has none."""
    direction = fields.get("Direction", "").lower()
    return "inbound" if direction == "inbound" else "outbound" if direction.startswith("outbound") else None


def _customer(fields: Fields) -> Handle | None:
    direction = _direction(fields)
    if direction is None:
        return None
    address = fields.get("From" if direction == "inbound" else "To", "")
    return None if address.lower() in _WITHHELD else handle(address, "voice")
