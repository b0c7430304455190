"""Reads the webhooks of any sender that follows Standard Webhooks, with our event types or its own in the body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: `{"type", "timestamp",
"data"}`, signed with `webhook-id`, `webhook-timestamp` and `webhook-signature` (or Svix's `svix-…`, from which the
standard comes). If `type` is one of ours, dotted (`message.delivered`), `data` follows that type's schema; any other
becomes an unknown event.
"""

from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, unknown
from adapters.reading.own_ids import relayed
from adapters.reading.times import from_text, from_unix
from adapters.signing.keys import ed25519_key, signs_ed25519
from adapters.signing.signatures import check_age, from_base64, readable, standard_header, standard_key, verify_standard
from schemas import RESERVED, SchemaError
from schemas import events as names
from schemas.event_data import event_of, time_of
from schemas.events import Event
from schemas.json_text import MAX_DEPTH, check, kind_of

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
#: Maximum signatures of one request that are checked; a sender that rotates its keys sends two or three.
_MOST = 16


def recognise(request: Request) -> bool:
    """Recognise a webhook by the three headers and a body of `type` and `data` that is not an envelope. Svix's
    headers alone are not enough: senders with their own adapter have them too."""
    headers, body = request.headers, request.body
    if not all(name in headers for name in _HEADERS) or b'"type"' not in body or b'"data"' not in body:
        return False
    try:
        document = json_of(request)
    except Unprocessable:
        return False
    return (
        isinstance(document, dict)
        and isinstance(document.get("type"), str)
        and "data" in document
        and "eventType" not in document
        # The standard's time is `timestamp`; with the name of another, it is a provider's own body (Resend's).
        and not ("created_at" in document and "timestamp" not in document)
    )


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify a signature by any configured secret (v1) or public key (v1a), with five minutes of tolerance unless
    `fresh` is False. Raises InvalidSignature."""
    secrets, keys = secrets_of(values, "secret"), secrets_of(values, "public_key")
    if not secrets and not keys:
        return None
    if keys and _is_signed(request, keys):
        if fresh:
            check_age(standard_header(request, "timestamp"), request.received_at)
        return True
    if not secrets:
        raise InvalidSignature("no configured public_key made a v1a signature in webhook-signature")
    verify_standard(request, secrets, fresh=fresh)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event. Raises Unprocessable if `type` is ours and `data` does not follow its schema."""
    document = json_of(request)
    headers = request.headers
    event_id = identifier(headers.get("webhook-id") or headers.get("svix-id"))
    named = document.get("type") if isinstance(document, dict) else None
    type = names.TYPE_OF_DOTTED.get(named) if isinstance(named, str) else None
    if type is None or type in RESERVED:
        event = unknown(request, document, status=named if isinstance(named, str) else None, event_id=event_id)
        if isinstance(document, dict):
            event.occurred_at = from_text(document.get("timestamp")) or from_unix(document.get("timestamp"))
        return Normalized([event])
    try:
        return Normalized([_event(type, document, request, event_id)])
    except SchemaError as error:
        raise Unprocessable(str(error)) from error


def answer(request: Request) -> Answer:
    """Answer 202: the webhook is stored, and not processed yet. The standard allows any 2xx."""
    return Answer(202)


def _event(type: str, document: dict[str, Any], request: Request, event_id: str | None) -> Event:
    """Return the event of a type of ours. Raises SchemaError with the path in the body."""
    data = document.get("data")
    if not isinstance(data, dict):
        raise SchemaError("$.data", "is required" if data is None else f"must be an object, not {kind_of(data)}")
    if request.body.count(b"{") + request.body.count(b"[") > MAX_DEPTH:
        check(document, nul=False)
    at: datetime | None = None
    if data.get("timestamp") is None and document.get("timestamp") is not None:
        at = time_of(document["timestamp"], "$.timestamp", request.received_at)
    try:
        event = event_of(
            type,
            data,
            source=request.source,
            source_event_id=event_id or fact_id(request.body.decode("utf-8", "replace")),
            at=at,
            received_at=request.received_at,
            form="relayed",
        )
    except SchemaError as error:
        raise error.under("$.data") from error
    return relayed(event)


def _is_signed(request: Request, keys: list[str]) -> bool:
    """Return whether one of the keys made one of the v1a signatures. Raises InvalidSignature for an unreadable key."""
    start = f"{standard_header(request, 'id')}.{standard_header(request, 'timestamp')}."
    message = start.encode("utf-8", "replace") + request.body
    given = standard_header(request, "signature").split(" ")[:_MOST]
    made = [part.removeprefix("v1a,") for part in given if part.startswith("v1a,")]
    return any([_signs(key, message, signature) for key in readable(keys, ed25519_key) for signature in made])


def _signs(key: Ed25519PublicKey, message: bytes, signature: str) -> bool:
    try:
        return signs_ed25519(key, message, from_base64(signature))
    except InvalidSignature:  # one of several that is not base64
        return False


ADAPTER = Adapter(
    name="standard_webhooks",
    title="Standard Webhooks",
    docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    channels=frozenset(names.CHANNELS),
    events=frozenset(names.EVENT_TYPES) - frozenset(RESERVED),
    signature="HMAC-SHA256 (v1) or Ed25519 (v1a) over id, timestamp, body",
    signs_body=True,
    settings=(
        Setting(
            "secret",
            "The sender's signing secret: whsec_ and base64, or any text of 24 bytes or more.",
            reads=standard_key,
        ),
        Setting("public_key", "The sender's Ed25519 public key: whpk_ and base64.", secret=False, reads=ed25519_key),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
)
