"""Reads services' events as they travel on Kafka: CloudEvents 1.0, structured JSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas import SchemaError
from schemas.event_data import check_source, check_text, event_of, time_of, type_named
from schemas.events import MAX_ID, MAX_SOURCE, Event
from schemas.faults import Faults
from schemas.json_text import kind_of, read_json

SPEC_VERSION = "1.0"
DEFAULT_CLIENT = "default"
#: Most characters of the attributes that the events table indexes, and of others.
_MOST = {"id": MAX_ID, "source": MAX_SOURCE, "subject": 1024}
_MOST_OF_OTHERS = 255


@dataclass(slots=True)
class Reported:
    """A service's report: the event, and the client it is for (the extension attribute `clientid`)."""

    event: Event
    client_id: str


def read_cloudevent(value: bytes, received_at: datetime) -> Reported:
    """Read the event in a record of `events.reported`. `received_at` is the record's time, aware.

    `type` is one of our types, dotted or not; `data` (or `data_base64`, of JSON) matches the type's schema and its
    `reported` form; `time` is when it happened, else `data.timestamp`. Raises SchemaError with all errors, and nothing else.
    """
    document = read_json(value)
    if not isinstance(document, dict):
        raise SchemaError("$", f"must be one CloudEvent, an object, not {kind_of(document)}")
    try:
        return _read(document, received_at)
    except SchemaError:
        _refuse(document, received_at)
        raise


def _read(document: Mapping[str, Any], received_at: datetime) -> Reported:
    """Return the event. Raises SchemaError with the first error, or all errors of its data."""
    _version(document)
    source_event_id, source = _text(document, "id"), check_source(_text(document, "source"))
    type = type_named(_text(document, "type"), "$.type")
    client_id = _text(document, "clientid", DEFAULT_CLIENT)
    return Reported(
        _event(document, type, received_at, source, source_event_id, _time(document, received_at)), client_id
    )


def _refuse(document: Mapping[str, Any], received_at: datetime) -> None:
    """Raise SchemaError with all errors of an event that has one. This is not how events are read, as it takes a fifth longer."""
    wrong, type = Faults(), ""
    with wrong:
        _version(document)
    with wrong:
        _text(document, "id")
    with wrong:
        check_source(_text(document, "source"))
    with wrong:
        type = type_named(_text(document, "type"), "$.type")
    with wrong:
        _text(document, "clientid", DEFAULT_CLIENT)
    with wrong:
        _time(document, received_at)
    with wrong:
        _event(document, type, received_at) if type else _data(document)
    wrong.refuse()


def _event(
    document: Mapping[str, Any], type: str, received_at: datetime,
    source: str = "", source_event_id: str = "", at: datetime | None = None,
) -> Event:  # fmt: skip
    """Return the event of the data. Raises SchemaError with all errors of the data."""
    data, path = _data(document)
    if document.get("subject") is not None and "subject" not in data:
        data = data | {"subject": _text(document, "subject")}
    try:
        return event_of(
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


def _version(document: Mapping[str, Any]) -> None:
    if document.get("specversion") != SPEC_VERSION:
        raise SchemaError("$.specversion", f'must be "{SPEC_VERSION}": a CloudEvent in structured JSON is expected')


def _time(document: Mapping[str, Any], received_at: datetime) -> datetime | None:
    return None if document.get("time") is None else time_of(document["time"], "$.time", received_at)


def _text(document: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return an attribute that must be text. Raises SchemaError."""
    value = document.get(name, default)
    if value is None:
        raise SchemaError(f"$.{name}", "is required")
    if not isinstance(value, str):
        raise SchemaError(f"$.{name}", f"must be a string, not {kind_of(value)}")
    if not value.strip():
        raise SchemaError(f"$.{name}", "must not be empty")
    most = _MOST.get(name, _MOST_OF_OTHERS)
    if len(value) > most:
        raise SchemaError(f"$.{name}", f"has more than {most} characters")
    check_text(value, f"$.{name}")
    return value


def _data(document: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the data and its JSONPath. Raises SchemaError."""
    media_type = document.get("datacontenttype") or "application/json"
    if not isinstance(media_type, str) or not _is_json(media_type):
        raise SchemaError("$.datacontenttype", "must be application/json, or absent")
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
