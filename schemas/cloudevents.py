"""Services' events as they travel on Kafka: CloudEvents 1.0, structured JSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from schemas import SCHEMAS, SchemaError
from schemas.events import EVENT_TYPES, Event
from schemas.facts import check_source, check_text, event_of, time_of, type_named
from schemas.json_text import kind_of, read_json

SPEC_VERSION = "1.0"
DEFAULT_CLIENT = "default"
#: Most characters of `id`, `source` and `clientid`: what the events table indexes.
_MOST = {"id": 512, "source": 512, "clientid": 255, "subject": 1024}


@dataclass(slots=True)
class Reported:
    """What a service reports: the event, and the client it speaks for (the extension attribute `clientid`)."""

    event: Event
    client_id: str


def read_cloudevent(value: bytes, received_at: datetime) -> Reported:
    """The event in a record of `events.reported`. `received_at` is the record's time, aware.

    `type` is ours, dotted or as it is; `data` (or `data_base64`, of JSON) follows the type's schema and what its
    `reported` form asks; `time` says when it happened, else `data.timestamp`. Raises SchemaError, and nothing else.
    """
    document = read_json(value)
    if not isinstance(document, dict):
        raise SchemaError("$", f"must be one CloudEvent, an object, not {kind_of(document)}")
    if document.get("specversion") != SPEC_VERSION:
        raise SchemaError("$.specversion", f'must be "{SPEC_VERSION}": this is to be a CloudEvent in structured JSON')
    source_event_id, source = _text(document, "id"), check_source(_text(document, "source"))
    type = type_named(_text(document, "type"), "$.type")
    client_id = _text(document, "clientid", DEFAULT_CLIENT)
    data, path = _data(document)
    subject = document.get("subject")
    if subject is not None and "subject" not in data:
        data = data | {"subject": _text(document, "subject")}
    at = None if document.get("time") is None else time_of(document["time"], "$.time", received_at)
    try:
        event = event_of(
            type,
            data,
            source=source,
            source_event_id=source_event_id,
            at=at,
            received_at=received_at,
            form="reported",
        )
    except SchemaError as error:
        raise error.under(path) from error
    return Reported(event, client_id)


def write_cloudevent(event: Event, client_id: str, **extensions: str | int | bool | UUID | datetime) -> bytes:
    """The event as a CloudEvent, which `read_cloudevent` reads back to the same event, where it is one that services may
    report; `extensions` are attributes
    beside the standard ones, their names lower-case letters and digits (spec section "Naming conventions").

    Raises ValueError where the payload cannot be written as JSON.
    """
    known: dict[str, Any] = {
        "messageId": event.message_id,
        "providerMessageId": event.provider_message_id,
        "provider": event.provider,
        "channel": event.channel,
        "direction": event.direction,
        "handle": event.handle,
        "error": event.error and {key: part for key, part in asdict(event.error).items() if part is not None},
    }
    document = {
        "specversion": SPEC_VERSION,
        "id": event.source_event_id,
        "source": event.source,
        "type": EVENT_TYPES[event.type],
        "time": event.occurred_at,
        "datacontenttype": "application/json",
        "dataschema": SCHEMAS[event.type]["$id"],
        "clientid": client_id,
        **extensions,
        "data": {key: part for key, part in known.items() if part is not None} | event.payload,
    }
    if event.occurred_at is None:
        del document["time"]
    try:
        return orjson.dumps(document, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"the event cannot be written as JSON: {error}") from error


def _text(document: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """An attribute that is text. Raises SchemaError."""
    value = document.get(name, default)
    if value is None:
        raise SchemaError(f"$.{name}", "is required")
    if not isinstance(value, str):
        raise SchemaError(f"$.{name}", f"must be a string, not {kind_of(value)}")
    if not value.strip():
        raise SchemaError(f"$.{name}", "must not be empty")
    if len(value) > _MOST.get(name, 255):
        raise SchemaError(f"$.{name}", f"has more than {_MOST.get(name, 255)} characters")
    check_text(value, f"$.{name}")
    return value


def _data(document: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The data, and the JSONPath where it is."""
    media_type = document.get("datacontenttype") or "application/json"
    if not isinstance(media_type, str) or not _is_json(media_type):
        raise SchemaError("$.datacontenttype", "must be application/json, or left out")
    data, path = document.get("data"), "$.data"
    if data is None and (encoded := document.get("data_base64")) is not None:
        path = "$.data_base64"
        if not isinstance(encoded, str):
            raise SchemaError(path, f"must be a string, not {kind_of(encoded)}")
        try:
            data = read_json(b64decode(encoded, validate=True))
        except (binascii.Error, ValueError) as error:
            if isinstance(error, SchemaError):
                raise error.under(path) from error
            raise SchemaError(path, "must be base64 (RFC 4648 section 4)") from error
    if not isinstance(data, dict):
        raise SchemaError(path, f"must be an object, not {kind_of(data)}" if data is not None else "is required")
    return data, path


def _is_json(media_type: str) -> bool:
    name = media_type.partition(";")[0].strip().lower()
    return name.endswith(("/json", "+json"))
