"""What is wrong with an envelope, for a caller who has shown an API key: it is the relay's author who reads it."""

from adapters import ADAPTERS
from adapters.contract.receiving import Request, Unprocessable
from adapters.reading.bodies import json_of
from webhooks.recognise import ENVELOPE
from webhooks.replies import Refused

#: Bytes of a body that is read at the door; a larger one is kept, and the worker says what is wrong with it.
READ = 64 << 10
EXAMPLE = '{"source": "twilio", "eventType": "message.delivered", "data": {…}}'


def fault_of(request: Request, source: str = ENVELOPE) -> Refused | None:
    """The refusal of a body that is no envelope, or none whose events fit: 400 where it is no JSON, 415 where it does not
    say that it is, 422 where it says something else. None where at least one of its envelopes is right."""
    kind = request.headers.get("content-type", "application/json")
    if "json" not in kind:
        return _refused(415, source, f"An envelope is JSON: Content-Type: application/json, not {kind[:80]}.")
    if len(request.body) > READ:
        return None
    try:
        document = json_of(request)
    except Unprocessable as error:
        return _refused(400, source, f"{_sentence(str(error))} An envelope is {EXAMPLE}, or a list of such.")
    try:
        found = ADAPTERS[ENVELOPE].normalize(request)
    except (Unprocessable, RecursionError) as error:
        return _refused(422, source, f"{_sentence(str(error))} An envelope is {EXAMPLE}, or a list of such.")
    if found.events or not isinstance(document, list):
        return None
    return _refused(422, source, _sentence(found.unprocessable[0][1]))


def _refused(status: int, source: str, detail: str) -> Refused:
    # What is wrong may quote what came, so that it is for the caller, and not for the log.
    return Refused(status, "an envelope that cannot be read, as its caller was told", source=source, detail=detail)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
