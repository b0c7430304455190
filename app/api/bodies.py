"""Makes the API's JSON of rows, and its responses. `null` is an unknown value; times are RFC 3339 in UTC."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.api.negotiation import has
from sql.facts import CHANGES, FACTS

Row = Mapping[str, Any]

#: Headers of answers that depend on the API key: a shared cache could give them to another client.
PRIVATE = {"cache-control": "no-store", "vary": "authorization"}

#: The mark of what was left out since it was erased.
_ERASED = {"erased": True}

_WRITE = orjson.OPT_UTC_Z

#: The keys of an interaction's `facts`: the types of the events that state them; those of a call apart.
_FACTS = {fact.name: fact.event for fact in (*FACTS, *CHANGES)}
_CALL_FACTS = {fact.name: fact.call_event or fact.event for fact in (*FACTS, *CHANGES)}


def interaction(row: Row) -> dict[str, Any]:
    """Return the JSON of an interaction, the same in every route."""
    value = row["address_value"]
    address = None if value is None else {"kind": row["address_kind"], "value": value}
    types = _CALL_FACTS if row["channel"] == "voice" else _FACTS
    shown = {
        "interactionId": row["id"],
        "customerId": row["customer_id"],
        "channel": row["channel"],
        "messageId": row["message_id"],
        "providerMessageId": row["provider_message_id"],
        "timestamp": row["timestamp"],
        "direction": row["direction"],
        "provider": row["provider"],
        "address": address,
        "content": row["content"] or {},
        "status": row["status"],
        "delivery": row["delivery"],
        "facts": {types[fact]: at for fact, at in row["facts"].items()},
        "error": row["error"],
        "contradiction": row["contradiction"],
    }
    return shown | _ERASED if "erased" in row else shown


def event(row: Row) -> dict[str, Any]:
    """Return the JSON of an event of an interaction's history."""
    shown = {
        "position": row["position"],
        "eventId": row["id"],
        "type": row["type"],
        "channel": row["channel"],
        "direction": row["direction"],
        "source": row["source"],
        "sourceEventId": row["source_event_id"],
        "occurredAt": row["occurred_at"],
        "receivedAt": row["received_at"],
        "recordedAt": row["recorded_at"],
        "error": row["error"],
        "payload": row["payload"],
        "webhookId": row["webhook_id"],
    }
    return shown | _ERASED if "erased" in row else shown


def write(value: Any) -> bytes:
    """Write JSON in one line."""
    return orjson.dumps(value, option=_WRITE)


def answer(request: Request, value: Any) -> Response:
    """Return `value` as JSON with a strong ETag, or 304 if the caller has it (RFC 9110 section 13.1.2). The ETag is a
    hash of the bytes.
    """
    return Written(value).answer(request)


class Written:
    """A value as JSON, written once for any number of answers."""

    def __init__(self, value: Any) -> None:
        self._body = write(value)
        self._tag = f'"{sha256(self._body).hexdigest()[:32]}"'
        self._headers = PRIVATE | {"etag": self._tag}

    def answer(self, request: Request) -> Response:
        """Do as `answer` does."""
        if has(request, self._tag):
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, headers=self._headers, media_type="application/json")
