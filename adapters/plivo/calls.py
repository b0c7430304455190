"""Reads the parameters of Plivo's calls and recordings.

https://www.plivo.com/docs/voice/concepts/callbacks, …/voice/api/call; hang-up causes:
https://docs.plivo.com/docs/voice/troubleshooting/hangup-causes. A call's times are in the console's zone, which is not
named, so they are not used.
"""

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import caller
from adapters.reading.facts import count, fact_id, identifier, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.times import from_unix_or_millis
from schemas.events import Error, Event

Fields = dict[str, str]

#: The values of `CallStatus`.
STATUSES: dict[str, str] = {
    "ringing": "CallStarted",
    "in-progress": "CallStarted",
    "completed": "CallCompleted",
    "busy": "CallFailed",
    "failed": "CallFailed",
    "timeout": "CallFailed",
    "no-answer": "CallFailed",
    "cancel": "CallFailed",
}
REASONS: dict[str, str] = {"busy": "unreachable", "timeout": "unreachable", "no-answer": "unreachable"}
#: …/hangup-causes: `HangupCauseCode`, used where the status gives no reason.
_CODE_REASONS = {
    "1010": "blocked",
    "1020": "rate",
    "2000": "invalid_address",
    "2010": "unreachable",
    "2020": "unreachable",
    "2030": "blocked",
    "2040": "blocked",
}


def events(fields: Fields, request: Request) -> list[Event]:
    """Return the event of a call's status, or of its recording. Raises Unprocessable."""
    call = identifier(fields.get("CallUUID"))
    if call is None:
        raise Unprocessable("an event of no call: it has no CallUUID")
    event = _recording(fields, call, request) if fields.get("RecordUrl") else _state(fields, call, request)
    direction = fields.get("Direction", "").lower()
    event.channel, event.provider_message_id = "voice", call
    if direction in ("inbound", "outbound"):
        event.direction = direction
        event.handle = caller(fields.get("From" if direction == "inbound" else "To"))
    event.payload |= {key: value for key, name in (("from", "From"), ("to", "To")) if (value := fields.get(name))}
    return [event]


def _state(fields: Fields, call: str, request: Request) -> Event:
    status = fields.get("CallStatus", "").lower()
    type = STATUSES.get(status)
    # A caller's input during a call comes with the call's status too.
    if type is None or "Digits" in fields or "Speech" in fields:
        return unknown(request, whole_of(request), status=status or None)
    event = Event(type, request.source, fact_id("call", call, status), payload={"providerStatus": status})
    if type == "CallCompleted" and (seconds := count(fields.get("Duration"))) is not None:
        event.payload["duration"] = seconds
    cost = fields.get("TotalCost", "")
    if type != "CallStarted" and cost.replace(".", "", 1).isdigit() and cost.isascii() and cost[0] != ".":
        event.payload["price"] = {"amount": cost.rstrip("."), "currency": "USD"}
    if type == "CallFailed":
        code, words = fields.get("HangupCauseCode") or None, fields.get("HangupCauseName") or fields.get("HangupCause")
        event.error = Error(code, words or status, REASONS.get(status) or _CODE_REASONS.get(code or "", "unknown"))
    return event


def _recording(fields: Fields, call: str, request: Request) -> Event:
    url = fields["RecordUrl"]
    event = Event("CallRecorded", request.source, fact_id("recording", call, fields.get("RecordingID"), url))
    event.payload = {"providerStatus": "recorded", "content": {"audioUrl": url}}
    event.occurred_at = from_unix_or_millis(fields.get("RecordingEndMs"))
    if (milliseconds := count(fields.get("RecordingDurationMs"))) is not None:
        event.payload["duration"] = milliseconds / 1000
    return event
