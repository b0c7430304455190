"""The log's events as they travel on `events.recorded`: CloudEvents 1.0, structured JSON.

`id` is the event's id, the same each time it is told: whoever reads may get an event more than once, and tells by it.
Attributes beside the standard ones: `clientid`, `customerid`, `interactionid`, `sourceeventid`, `sequence`
(https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md: the place in the log) and
`recordedtime` (https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/recorded-time.md).
"""

from collections.abc import Mapping
from typing import Any

from schemas.cloudevents import write_cloudevent
from schemas.events import Error, Event, Handle

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def write_recorded(row: Mapping[str, Any], most: int) -> bytes:
    """An event of the log (the columns of `events`, with `interaction_id` and `customer_id`) as a CloudEvent, which
    `schemas.cloudevents.read_cloudevent` reads. Times of the row are in UTC.

    One of more than `most` bytes is told without its payload, and says so (`payloadomitted`): the log has it.
    Raises ValueError where the payload cannot be written as JSON.
    """
    written = write_cloudevent(_event(row, row["payload"]), row["client_id"], **_attributes(row))
    if len(written) <= most:
        return written
    return write_cloudevent(_event(row, {}), row["client_id"], payloadomitted=True, **_attributes(row))


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
        "sequence": f"{row['xid']:019d}-{row['position']:019d}",
    }
    return {name: value for name, value in known.items() if value is not None}
