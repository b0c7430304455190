"""The log's events as they travel on `events.recorded`: CloudEvents 1.0, structured JSON.

`id` is the event's id, the same each time it is told: whoever reads may get an event more than once, and tells by it.
Attributes beside the standard ones: `clientid`, `customerid`, `interactionid`, `sourceeventid`, `sequence`
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md: the place in the log) and
`recordedtime` (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/recorded-time.md).
"""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.cloudevents import write_cloudevent
from schemas.events import EVENT_TYPES, Error, Event, Handle

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


#: Most characters of a text where the event is too large as it is, and where it is so without its payload.
CUT, STUB = 512, 64


def write_recorded(row: Mapping[str, Any], most: int) -> bytes:
    """An event of the log (the columns of `events`, with `interaction_id` and `customer_id`) as a CloudEvent, which
    `schemas.cloudevents.read_cloudevent` reads. Times of the row are in UTC. Never raises: whatever the log holds, the
    relay goes on.

    One of more than `most` bytes (at least some 2,000), or that cannot be written as JSON, is told without its payload, and
    says so (`payloadomitted`): the log has it. Where that is not enough its texts are cut, and in the end it is its ids.
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
    return write_cloudevent(_event(row, row["payload"]), row["client_id"], **_attributes(row))


def _without_payload(row: Mapping[str, Any]) -> bytes:
    return write_cloudevent(_event(row, {}), row["client_id"], payloadomitted=True, **_attributes(row))


def _cut(row: Mapping[str, Any]) -> bytes:
    error = row["error"]
    shorter = {name: value[:CUT] if isinstance(value, str) else value for name, value in row.items()}
    shorter["error"] = error and {name: text and str(text)[:CUT] for name, text in error.items()}
    return _without_payload(shorter)


def _stub(row: Mapping[str, Any]) -> bytes:
    """Which event it is, and nothing that an event's author chose the length of."""
    known = {
        "specversion": "1.0",
        "id": str(row["id"]),
        "source": _few(row.get("source")) or "unknown",
        "type": EVENT_TYPES.get(str(row["type"])) or _few(row["type"]),
        "clientid": _few(row["client_id"]),
        "customerid": _few(row.get("customer_id")),
        "interactionid": _few(row.get("interaction_id")),
        "sequence": _sequence(row),
        "payloadomitted": True,
    }
    document = {name: value if value is True else str(value) for name, value in known.items() if value is not None}
    return orjson.dumps(document | {"data": {}})


def _few(text: Any) -> str | None:
    """A text as UTF-8 can hold it, at most `STUB` characters."""
    return None if text is None else str(text)[:STUB].encode("utf-8", "replace").decode()


def key_of(row: Mapping[str, Any]) -> bytes:
    """What keeps a customer's events in one partition: the customer's id, else the interaction's, else the event's."""
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
        handle=Handle(row["handle_kind"], row["handle_value"]) if row["handle_kind"] else None,
        occurred_at=row["occurred_at"],
        error=error and Error(error.get("code"), error.get("text"), error["reason"]),
        payload=payload,
        provider=row["provider"],
    )


def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {  # ids and times as they are: the writer of JSON makes text of them in a tenth of the time
        "customerid": row["customer_id"],
        "interactionid": row["interaction_id"],
        "sourceeventid": row["source_event_id"],
        "recordedtime": row["recorded_at"],
        "sequence": _sequence(row),
    }
    return {name: value for name, value in known.items() if value is not None}


def _sequence(row: Mapping[str, Any]) -> str:
    return f"{row['xid']:019d}-{row['position']:019d}"
