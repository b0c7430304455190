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

from schemas.cloudevents import write_cloudevent
from schemas.events import EVENT_TYPES, Error, Event, Handle

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
    return write_cloudevent(_event(row, row["payload"]), row["client_id"], **_attributes(row))


def _without_payload(row: Mapping[str, Any]) -> bytes:
    return write_cloudevent(_event(row, {}), row["client_id"], payloadomitted=True, **_attributes(row))


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


def _event(row: Mapping[str, Any], payload: dict[str, Any]) -> Event:
    error = row["error"]
    return Event(
        type=row["type"],
        source=row["source"],
        source_event_id=str(row["id"]),
        channel=row["channel"],
        direction=row["direction"],
        provider_message_id=row["provider_message_id"],
        message_id=row["message_id"],
        handle=Handle(row["handle_kind"], row["handle_value"]) if row["handle_value"] is not None else None,
        occurred_at=row["occurred_at"],
        error=error and Error(error.get("code"), error.get("text"), error["reason"]),
        payload=payload,
        provider=row["provider"],
    )


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {  # ids and times are not made text here: orjson does that in a tenth of the time
        "customerid": row["customer_id"],
        "interactionid": row["interaction_id"],
        "sourceeventid": row["source_event_id"],
        "recordedtime": row["recorded_at"],
        "sequence": _sequence(row),
        "erased": row.get("erased"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _sequence(row: Mapping[str, Any]) -> str:
    return f"{row['xid']:019d}-{row['position']:019d}"
