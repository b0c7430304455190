"""The door out: what a client's callback is sent, how it is signed, what its answer means, and when it is tried again.

Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from adapters.contract.sending import HttpCall, Response, retry_after
from schemas.events import EVENT_TYPES

#: Bytes of a secret: the specification has 24 to 64.
SECRET_BYTES = 32
_PREFIX = "whsec_"
#: The pauses after the first try and each one after it (section "Deliverability and reliability"); they sum up to three days.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
#: A pause is longer by up to this share of it, so that what failed together does not come back together.
JITTER = 0.2
#: For how long nothing but failures is borne before a callback is disabled.
PATIENCE = timedelta(days=5)
#: For how long the secrets before a rotation go on signing.
GRACE = timedelta(hours=24)

Verdict = Literal["delivered", "failed", "gone"]


def shown(secret: bytes) -> str:
    """A secret as it is given to the client."""
    return _PREFIX + b64encode(secret).decode()


def webhook_id(event_id: object) -> str:
    """The `webhook-id` of an event: the same at every try and replay, so that a receiver tells what it has seen."""
    return str(event_id)


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 of `id.timestamp.body`, in base64 (section "Signature scheme")."""
    return "v1," + b64encode(hmac.digest(secret, f"{id}.{timestamp}.".encode() + body, "sha256")).decode()


def request_of(row: Mapping[str, Any], url: str, secrets: Sequence[bytes], now: datetime) -> HttpCall:
    """The POST that tells an event (its columns, with `event_id`, `message_id` and `interaction_id`) to a callback,
    signed with every secret at the time of this try. Raises ValueError where the payload cannot be written as JSON."""
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
    """`{"type", "timestamp", "data"}`: the dotted type, when it happened (where the provider does not say, when we heard
    of it), and the event's payload with what its columns say. Raises ValueError."""
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
    """What an answer means: 2xx is success, 410 that the callback wants no more, all else (3xx too: nothing is
    followed) a failure (section "Delivery success and failure")."""
    if 200 <= status < 300:
        return "delivered"
    return "gone" if status == 410 else "failed"


def pause_after(attempts: int, chance: float, answer: Response | None = None) -> timedelta | None:
    """How long to wait after so many tries have failed, None where there is no next one. `chance`, from 0 to 1, spreads
    it; the answer's Retry-After makes it longer, at most to the longest of the pauses."""
    if attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * (1 + JITTER * chance)
    asked = retry_after(answer) if answer is not None else None
    return pause if asked is None else max(pause, min(timedelta(seconds=asked), PAUSES[-1]))
