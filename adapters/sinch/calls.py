"""Reads Sinch's Voice callbacks: a call comes in, is answered, ends.

https://developers.sinch.com/docs/voice/api-reference/voice/tag/Callbacks/. Only an inbound call names its direction;
the others are joined to it, or to the call that was made, by `callid`.
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.prices import price_of
from adapters.reading.times import from_text
from schemas.events import Error, Event, Handle

Item = dict[str, Any]

#: `result` of a disconnected call; if it is `N/A`, the duration shows whether the call took place.
RESULTS: dict[str, str] = {
    "ANSWERED": "CallCompleted",
    "BUSY": "CallFailed",
    "NOANSWER": "CallFailed",
    "FAILED": "CallFailed",
}
#: Why a call failed: by its `result`, or by the `reason` for its end.
FAILURES: dict[str, str] = {
    "BUSY": "unreachable",
    "NOANSWER": "unreachable",
    "TIMEOUT": "unreachable",
    "USERNOTFOUND": "invalid_address",
    "BLOCKED": "blocked",
    "NOCREDITPARTNER": "blocked",
}


def event(body: Item, request: Request) -> Event:
    """Return the event of ICE, ACE or DICE; any other event of a call is unknown."""
    word = str(body["event"]).lower()
    call_id, when = identifier(body.get("callid")), text(body.get("timestamp"))
    if word not in ("ice", "ace", "dice") or call_id is None:
        found = unknown(request, body, status=word)
        found.channel, found.provider_message_id, found.occurred_at = "voice", call_id, from_text(when)
        return found
    inbound = word == "ice"
    payload: Item = {"providerStatus": word}
    destination = body.get("to")
    ours = text(destination.get("endpoint")) if isinstance(destination, dict) else None
    caller = text(body.get("cli")) if inbound else text(body.get("from"))
    for key, value in (("from", caller), ("to", ours)):
        if value:
            found_address = _address(value)
            payload[key] = found_address.value if found_address is not None else value[:255]
    if reference := text(body.get("custom")):
        payload["reference"] = reference[:1024]
    type_, error = "CallStarted", None
    if word == "dice":
        type_, error = _ended(body, payload)
    return Event(
        type_,
        request.source,
        fact_id("call", call_id, word, when),
        channel="voice",
        direction="inbound" if inbound else None,
        provider_message_id=call_id,
        handle=_address(caller) if inbound else None,
        occurred_at=from_text(when),
        error=error,
        payload=payload,
    )


def _ended(body: Item, payload: Item) -> tuple[str, Error | None]:
    result, reason = (text(body.get("result")) or "").upper(), (text(body.get("reason")) or "").upper()
    duration = count(body.get("duration"))
    if duration is not None:
        payload["duration"] = duration
    payload["providerStatus"] = (result if result not in ("", "N/A") else reason or "dice")[:255]
    debit = body.get("debit")
    if isinstance(debit, dict):
        price = price_of(debit.get("amount"), debit.get("currencyId"))
        payload |= {"price": price} if price else {}
    type_ = RESULTS.get(result) or ("CallCompleted" if duration else "CallFailed")
    if type_ == "CallCompleted":
        return type_, None
    code = result if result not in ("", "N/A") else reason
    return type_, Error(code[:255] or None, reason or None, FAILURES.get(result) or FAILURES.get(reason, "unknown"))


def _address(value: str | None) -> Handle | None:
    if value is None or value.lower() in ("private", "anonymous", "unknown"):
        return None
    return dialled(value, "voice")
