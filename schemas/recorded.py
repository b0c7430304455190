"""Writes events of the log as they travel on `events.recorded`: CloudEvents 1.0, structured JSON.

`id` is the event's id, the same at every delivery: consumers may get an event more than once, and deduplicate by it.
Attributes beside the standard ones: `clientid`, `customerid`, `interactionid`, `sourceeventid`, `sequence`
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md: the place in the log) and
`erased` (personal data of the event was erased, and is left out), `recordedtime` (the time of the commit,
https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/recorded-time.md).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas import SCHEMAS
from schemas.cloudevents import SPEC_VERSION
from schemas.events import EVENT_TYPES, Handle

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


#: Most characters of a text in an event that is still too large without its payload, and in a stub.
CUT, STUB = 512, 64


def write_recorded(row: Mapping[str, Any], most: int) -> bytes:
    """Write an event of the log (the columns of `events`, with `interaction_id` and `customer_id`) as a CloudEvent,
    which `schemas.cloudevents.read_cloudevent` reads. Times of the row are in UTC. Never raises, so that the relay goes
    on whatever the log holds.

    An event of more than `most` bytes (at least some 2,000), or that cannot be written as JSON, is written without its
    payload, with the mark `payloadomitted`: the log has it. If that is not enough its texts are cut, and in the end
    only its ids are left.
    """
    for write in (_whole, _without_payload, _cut):
        try:
            written = write(row)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if len(written) <= most:
            return written
    return _stub(row)


def _whole(row: Mapping[str, Any]) -> bytes:
    if row["payload"] is None:
        raise ValueError("its payload could not be decrypted")
    return _written(row, row["payload"])


def _without_payload(row: Mapping[str, Any]) -> bytes:
    return _written(row, {}, omitted=True)


def _cut(row: Mapping[str, Any]) -> bytes:
    error = row["error"]
    shorter = {name: value[:CUT] if isinstance(value, str) else value for name, value in row.items()}
    shorter["error"] = error and {name: text and str(text)[:CUT] for name, text in error.items()}
    return _without_payload(shorter)


def _stub(row: Mapping[str, Any]) -> bytes:
    """Write the event's ids, and nothing whose length an author chose."""
    known = {
        "specversion": "1.0",
        "id": str(row["id"]),
        "source": _short(row.get("source")) or "unknown",
        "type": EVENT_TYPES.get(str(row["type"])) or _short(row["type"]),
        "clientid": _short(row["client_id"]),
        "customerid": _short(row.get("customer_id")),
        "interactionid": _short(row.get("interaction_id")),
        "sequence": _sequence(row),
        "payloadomitted": True,
    }
    document = {name: value if value is True else str(value) for name, value in known.items() if value is not None}
    return orjson.dumps(document | {"data": {}})


def _short(text: Any) -> str | None:
    """Return at most `STUB` characters of a text, without what UTF-8 cannot hold."""
    return None if text is None else str(text)[:STUB].encode("utf-8", "replace").decode()


def key_of(row: Mapping[str, Any]) -> bytes:
    """Return the Kafka key, which keeps a customer's events in one partition: the id of the customer, the interaction,
    or the event."""
    return str(row["customer_id"] or row["interaction_id"] or row["id"]).encode()


def _written(row: Mapping[str, Any], payload: dict[str, Any], omitted: bool | None = None) -> bytes:
    """Write an event with this payload. Raises ValueError, TypeError, KeyError or AttributeError where that cannot be."""
    type, error, address = row["type"], row["error"], row["handle_value"]
    document = {  # ids and times are not made text here: orjson does that in a tenth of the time
        "specversion": SPEC_VERSION,
        "id": row["id"],
        "source": row["source"],
        "type": EVENT_TYPES[type],
        "time": row["occurred_at"],
        "datacontenttype": "application/json",
        "dataschema": SCHEMAS[type]["$id"],
        "clientid": row["client_id"],
        "payloadomitted": omitted,
        "customerid": row["customer_id"],
        "interactionid": row["interaction_id"],
        "sourceeventid": row["source_event_id"],
        "recordedtime": row["recorded_at"],
        "sequence": _sequence(row),
        "erased": row.get("erased"),
    }
    data = {
        "messageId": row["message_id"],
        "providerMessageId": row["provider_message_id"],
        "provider": row["provider"],
        "channel": row["channel"],
        "direction": row["direction"],
        "handle": None if address is None else Handle(row["handle_kind"], address),
        "error": error and _error(error),
    }
    document = {name: value for name, value in document.items() if value is not None}
    document["data"] = {name: value for name, value in data.items() if value is not None} | payload
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    known = {"code": error.get("code"), "text": error.get("text"), "reason": error["reason"]}
    return {name: value for name, value in known.items() if value is not None}


def _sequence(row: Mapping[str, Any]) -> str:
    return f"{row['xid']:019d}-{row['position']:019d}"
