"""Reads Africa's Talking's notifications of calls. https://developers.africastalking.com/docs/voice/notifications

A call's start time has no zone, so it is not used.
"""

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import caller
from adapters.reading.facts import count, fact_id, identifier, unknown
from adapters.reading.parameters import whole_of
from schemas.events import Error, Event

#: …/voice/notifications, hangupCause: FreeSWITCH's names for the causes of ITU-T Q.850.
HANGUPS: dict[str, str] = {
    "USER_BUSY": "unreachable",
    "NO_ANSWER": "unreachable",
    "NO_USER_RESPONSE": "unreachable",
    "SUBSCRIBER_ABSENT": "unreachable",
    "NORMAL_TEMPORARY_FAILURE": "unreachable",
    "CALL_REJECTED": "blocked",
    "UNALLOCATED_NUMBER": "invalid_address",
    "INVALID_NUMBER_FORMAT": "invalid_address",
}


def events(fields: dict[str, str], request: Request) -> list[Event]:
    """Return the event of the call's state, and one for its recording if there is one. Raises Unprocessable."""
    get = fields.get
    session, active = identifier(fields["sessionId"]), fields["isActive"] == "1"
    known = fields["isActive"] in ("0", "1")
    if session is None:
        raise Unprocessable("a call without its sessionId")
    seconds, cause = count(get("durationInSeconds")), get("hangupCause", "")
    word = get("callSessionState") or get("status") or ("active" if active else "ended")
    if not known or (active and "dtmfDigits" in fields):
        event = unknown(request, whole_of(request), status="dtmf" if known else word)
    else:
        type = "CallStarted" if active else "CallCompleted" if seconds else "CallFailed"
        event = Event(type, request.source, fact_id("call", session, type), payload={"providerStatus": word[:255]})
    customer = caller(fields["callerNumber"])
    direction = get("direction", "").lower()
    inbound = direction != "outbound"
    event.channel, event.direction = "voice", direction if direction in ("inbound", "outbound") else None
    event.provider_message_id, event.handle = session, customer
    ours = get("destinationNumber", "")
    sides = (customer.value if customer else fields["callerNumber"], ours)
    event.payload |= dict(zip(("from", "to") if inbound else ("to", "from"), sides, strict=True))
    if not active and seconds:
        event.payload["duration"] = seconds
    if (amount := get("amount")) and amount.replace(".", "", 1).isdigit() and amount.isascii() and amount[0] != ".":
        currency = get("currencyCode", "")
        event.payload["price"] = {"amount": amount.rstrip(".")} | ({"currency": currency} if len(currency) == 3 else {})
    if event.type == "CallFailed":
        event.error = Error(cause or None, word, HANGUPS.get(cause, "unknown"))
    url = get("recordingUrl")
    if not known or not url:
        return [event]
    recording = {"providerStatus": "recorded", "content": {"audioUrl": url}}
    recorded = Event(
        "CallRecorded", request.source, fact_id("recording", session, url), channel="voice", direction=event.direction
    )
    recorded.provider_message_id, recorded.handle, recorded.payload = session, customer, recording
    return [event, recorded]
