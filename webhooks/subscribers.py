"""Builds and signs callbacks to clients, interprets their responses, and decides when to retry.

Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from adapters.contract import HttpCall, Response, retry_after
from schemas.events import EVENT_TYPES

#: Bytes of a secret; the specification allows 24 to 64.
SECRET_BYTES = 32
_PREFIX = "whsec_"
#: The pause after each attempt (section "Deliverability and reliability"): three days in all.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
#: A pause is longer by a random share of up to this much, so that retries spread out.
JITTER = 0.2
#: How long a callback may fail before it is disabled.
PATIENCE = timedelta(days=5)
#: How long older secrets keep signing after a rotation.
GRACE = timedelta(hours=24)

Verdict = Literal["delivered", "failed", "gone"]


def shown(secret: bytes) -> str:
    """Return a secret in the form that the client gets."""
    return _PREFIX + b64encode(secret).decode()


def webhook_id(event_id: object) -> str:
    """Return the `webhook-id` of an event, the same at every attempt and replay, so that receivers can drop duplicates."""
    return str(event_id)


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64 (section "Signature scheme")."""
    return "v1," + b64encode(hmac.digest(secret, f"{id}.{timestamp}.".encode() + body, "sha256")).decode()


def request_of(row: Mapping[str, Any], url: str, secrets: Sequence[bytes], now: datetime) -> HttpCall:
    """Return the POST that delivers an event (its columns, with `event_id`, `message_id` and `interaction_id`) to a callback,
    signed with every secret. `now` is the time of this attempt. Raises ValueError if the payload cannot be JSON."""
    id, timestamp, body = webhook_id(row["event_id"]), int(now.timestamp()), body_of(row)
    headers = {
        "content-type": "application/json",
        "user-agent": "Threadline",
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, id, timestamp, body) for secret in secrets),
    }
    return HttpCall("POST", url, headers, body)


def body_of(row: Mapping[str, Any]) -> bytes:
    """Return `{"type", "timestamp", "data"}`: the dotted type, the time of the event (or of its receipt, if the provider
    gives none), and the payload with the event's columns. Raises ValueError."""
    known = {
        "eventId": row["event_id"],
        "messageId": row["message_id"],
        "interactionId": row["interaction_id"],
        "channel": row["channel"],
        "direction": row["direction"],
        "provider": row["provider"] or row["source"],
        "providerMessageId": row["provider_message_id"],
        "error": row["error"],
        "occurredAt": row["occurred_at"],
        "recordedAt": row["recorded_at"],
    }
    document = {
        "type": EVENT_TYPES[row["type"]],
        "timestamp": row["occurred_at"] or row["received_at"],
        "data": row["payload"] | {name: value for name, value in known.items() if value is not None},
    }
    try:
        return orjson.dumps(document, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"the event cannot be written as JSON: {error}") from error


def judge(status: int) -> Verdict:
    """Interpret a status: 2xx is success, 410 asks for no more deliveries, anything else is a failure, redirects included
    (section "Delivery success and failure")."""
    if 200 <= status < 300:
        return "delivered"
    return "gone" if status == 410 else "failed"


def pause_after(attempts: int, chance: float, answer: Response | None = None) -> timedelta | None:
    """Return the pause after this many failed attempts, or None if there is no further attempt. `chance`, from 0 to 1,
    spreads retries; the response's Retry-After may lengthen the pause, up to the longest one."""
    if attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * (1 + JITTER * chance)
    asked = retry_after(answer) if answer is not None else None
    return pause if asked is None else max(pause, min(timedelta(seconds=asked), PAUSES[-1]))
