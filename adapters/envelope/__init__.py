"""Reads envelopes: a trusted relay's versions of providers' webhooks, in our own event types.

`{"source": "twilio", "eventType": "message.delivered", "data": {…}}`, or a list of them. `eventType` is our event type,
dotted; `data` follows that type's schema (`schemas/<Type>.json`), and unknown keys are kept. Optional: `id` (the same in
each redelivery), and `occurredAt` or `timestamp` for the event's time if `data.timestamp` is absent.
A `clientId` is ignored: the client is that of the authenticated caller.
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.contract import Adapter, Answer, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier
from adapters.reading.own_ids import relayed
from adapters.signing.signatures import standard_key, verify_standard
from schemas import NOT_WORDED, RESERVED, WORDED, SchemaError
from schemas import events as names
from schemas.event_data import check_source, event_of, time_of, type_named
from schemas.events import Event
from schemas.faults import Faults, line
from schemas.json_text import MAX_DEPTH, check, kind_of

#: The maximum length of a source's name.
MAX_SOURCE = 512
_MARKS = (b'"eventType"', b'"data"')


def recognise(request: Request) -> bool:
    """Recognise JSON with `data`, a text `eventType`, and either a text `source` or a known event type."""
    if "json" not in request.headers.get("content-type", "json") or not all(mark in request.body for mark in _MARKS):
        return False
    try:
        document = json_of(request)
    except Unprocessable:
        return False
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict) or "data" not in first or not isinstance(first.get("eventType"), str):
        return False
    named = first["eventType"]
    return isinstance(first.get("source"), str) or named in names.TYPE_OF_DOTTED or named in names.EVENT_TYPES


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify Standard Webhooks
    (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): HMAC-SHA256 in
    `webhook-signature`, five minutes of tolerance unless `fresh` is False. Raises InvalidSignature."""
    secrets = secrets_of(values, "secret")
    if not secrets:
        return None
    verify_standard(request, secrets, fresh=fresh)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event per envelope; a bad one in a list does not affect the others. Raises Unprocessable for a bad
    envelope that comes alone, and for an empty list."""
    document = json_of(request)
    deep = request.body.count(b"{") + request.body.count(b"[") > MAX_DEPTH
    if not isinstance(document, list):
        try:
            return Normalized([_event(document, request, deep)])
        except SchemaError as error:
            raise Unprocessable(line(error.faults)) from error
    if not document:
        raise Unprocessable("an empty list of envelopes")
    found = Normalized()
    for index, item in enumerate(document):
        try:
            found.events.append(_event(item, request, deep))
        except SchemaError as error:
            few = len(found.unprocessable) < WORDED
            found.unprocessable.append(
                (item, line(error.under(f"$[{index}]").faults) if few else f"$[{index}] {NOT_WORDED}")
            )
        except Unprocessable as error:
            found.unprocessable.append((item, f"$[{index}]: {error}"))
    return found


def answer(request: Request) -> Answer:
    """Return 202: the request is stored, and not processed yet."""
    return Answer(202)


def _event(item: Any, request: Request, deep: bool) -> Event:
    """Return the event of an envelope. Raises SchemaError with all errors and their paths in the envelope, or Unprocessable."""
    if not isinstance(item, dict):
        raise SchemaError("$", f"must be an envelope, an object, not {kind_of(item)}")
    if deep:
        check(item, nul=False)
    wrong, source, type = Faults(), "", ""
    at: datetime | None = None
    event: Event | None = None
    with wrong:
        source = check_source(_text(item, "source"))
    with wrong:
        type = type_named(_text(item, "eventType"), "$.eventType")
    with wrong:
        data = item.get("data")
        if not isinstance(data, dict):
            raise SchemaError("$.data", "is required" if data is None else f"must be an object, not {kind_of(data)}")
        with wrong:
            at = _at(item, request) if data.get("timestamp") is None else None
        if type:
            event = _relayed(type, data, source, identifier(item.get("id")), at, request)
    wrong.refuse()
    assert event is not None  # without a type or data there was an error
    return relayed(event)


def _relayed(
    type: str, data: dict[str, Any], source: str, id: str | None, at: datetime | None, request: Request
) -> Event:
    """Return the event of an envelope's data. Raises SchemaError with the paths of its errors in the envelope."""
    try:
        return event_of(
            type,
            data,
            source=source,
            source_event_id=id or _digest([source, type, data]),
            at=at,
            received_at=request.received_at,
            form="relayed",
        )
    except SchemaError as error:
        raise error.under("$.data") from error


def _at(item: dict[str, Any], request: Request) -> datetime | None:
    for key in ("occurredAt", "timestamp"):
        if item.get(key) is not None:
            return time_of(item[key], f"$.{key}", request.received_at)
    return None


def _digest(parts: list[Any]) -> str:
    """Return the id of an envelope that has none, the same for equal envelopes."""
    return fact_id(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode())


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if value is None:
        raise SchemaError(f"$.{key}", "is required")
    if not isinstance(value, str):
        raise SchemaError(f"$.{key}", f"must be a string, not {kind_of(value)}")
    if not value.strip() or len(value) > MAX_SOURCE:
        raise SchemaError(f"$.{key}", f"must have 1 to {MAX_SOURCE} characters")
    return value


ADAPTER = Adapter(
    name="envelope",
    title="Threadline's own envelope",
    docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    channels=frozenset(names.CHANNELS),
    events=frozenset(names.EVENT_TYPES) - frozenset(RESERVED),
    signature="Standard Webhooks (HMAC-SHA256 over id, timestamp, body), or an API key",
    signs_body=True,
    settings=(
        Setting(
            "secret",
            "The relay's signing secret (Standard Webhooks): whsec_ and base64, or any text of 24 bytes or more.",
            reads=standard_key,
        ),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
)
