"""Explains what is wrong with an envelope to a caller with a valid API key."""

from adapters import ADAPTERS
from adapters.contract import Request, Unprocessable
from adapters.reading.bodies import json_of
from webhooks.recognise import ENVELOPE
from webhooks.replies import Refused

#: The largest body, in bytes, that the door parses. A larger one is kept and checked by the worker.
READ = 64 << 10
EXAMPLE = '{"source": "twilio", "eventType": "message.delivered", "data": {…}}'


def fault_of(request: Request, source: str = ENVELOPE) -> Refused | None:
    """Return the refusal of a body without a valid envelope: 400 if it is not JSON, 415 if its content type is not JSON, 422 if
    no envelope in it is valid. Return None if at least one is."""
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
    # The detail may quote the body, so it goes to the caller and not into the log.
    return Refused(
        status, "an invalid envelope; the response to the caller has the reason", source=source, detail=detail
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
