"""Writes events as JSON parameters, and replaces what JSON or PostgreSQL cannot hold.

NUL (which text and jsonb of PostgreSQL cannot hold) and lone surrogates (not valid in UTF-8) become U+FFFD; NaN and
infinity become null. An integer beyond 64 bits, or nesting deeper than orjson writes, is refused (Unstorable).

Events are written as they are stored: with the places of their handles in a list of ids, and sealed (`sql.sealed`).
"""

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from schemas.events import Event
from schemas.numbering import spelled
from sql.errors import Unstorable
from sql.rows import Row

#: An event as `queries/incoming.sql` reads it.
Record = tuple[Any, ...]

_OPTIONS = orjson.OPT_NAIVE_UTC
#: Members of an event's record that are always there.
_ALWAYS = 19
_NUL = b"\\u0000"
_SURROGATES = {code: "\ufffd" for code in range(0xD800, 0xE000)} | {0: "\ufffd"}


def json(data: bytes) -> Jsonb:
    """Return a jsonb parameter of bytes that are JSON."""
    return Jsonb(data, dumps=_as_is)


def _as_is(data: Any) -> bytes:
    return data  # type: ignore[no-any-return]


def events_of(records: Sequence[Record], variants: Sequence[tuple[str, bool]] = ()) -> bytes:
    """Return events as a JSON array of arrays, in the order of fields that `queries/incoming.sql` reads. `variants`:
    for repeated events that differ, the `variant` and `joined` of `queries/differing.sql`. Raises Unstorable for the
    first that cannot be written."""
    if variants:
        # A trace comes after the variant (see `record_of`).
        records = [(*record[:_ALWAYS], *v, *record[_ALWAYS + 2 :]) for record, v in zip(records, variants, strict=True)]
    try:
        data = orjson.dumps(records, option=_OPTIONS)
    except TypeError:  # orjson does not say which
        data = _NUL
    if _NUL in data:
        return array_of([_one(index, record) for index, record in enumerate(records)])
    return data


def written(row: Row) -> bytes:
    """Return one row as JSON, which has about the size of the stored row. Raises Unstorable if it cannot be written."""
    return _one(0, plain(row))


def plain(row: Row) -> Record:
    """Return a row as it came: with its handle's value in place of the id, and not sealed."""
    given, client, received_at, webhook_id = row
    event = spelled(given)
    value = None if event.handle is None else event.handle.value
    ids = (event.source_event_id, event.provider_message_id)
    return record_of(event, client, received_at, webhook_id, value, None, ids, event.payload, event.error)


def array_of(parts: Sequence[bytes]) -> bytes:
    """Return a JSON array of items that are JSON."""
    return b"[%b]" % b",".join(parts)


def record_of(
    event: Event,
    client: str,
    received_at: datetime,
    webhook_id: str | None,
    handle: int | str | None,
    related: int | None,
    ids: tuple[str, str | None],
    payload: Any,
    error: Any,
) -> Record:
    """Return an event as an item of the array of `events_of`. `handle`, `related`: the places of its handles in a list of ids, from 1;
    `ids`: `source_event_id` and `provider_message_id`. `ids`, `payload` and `error` are given as they are stored."""
    record = (
        event.type,
        event.channel,
        event.direction,
        event.source,
        ids[0],
        event.provider,
        ids[1],
        event.message_id,
        event.handle and event.handle.kind,
        handle,
        error,
        event.occurred_at,
        payload,
        client,
        received_at,
        webhook_id,
        event.echoed_message_id,
        event.per_recipient,
        related,
    )
    # Most events are not traced, and need no further items. The two None are the places of a variant.
    return record if event.trace is None else (*record, None, None, event.trace)


def always_written(value: Any) -> bytes:
    """Return any value as JSON; items of lists that cannot be written are replaced by their `repr`."""
    try:
        return _one(0, value)
    except Unstorable:
        if isinstance(value, list | tuple):
            return array_of([always_written(part) for part in value])
    try:
        return orjson.dumps(clean(repr(value)))
    except RecursionError:
        return orjson.dumps(f"a {type(value).__name__}, nested too deeply")


def clean(value: Any) -> Any:
    """Return the value with each NUL and lone surrogate in its texts replaced by U+FFFD."""
    if isinstance(value, str):
        return value.translate(_SURROGATES)
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return clean(asdict(value))
    return value


def _one(index: int, value: Any) -> bytes:
    try:
        data = orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        data = b""
    if data and _NUL not in data:
        return data
    try:
        return orjson.dumps(clean(value), option=_OPTIONS)
    except (TypeError, RecursionError) as error:
        raise Unstorable(index, f"cannot be written as JSON: {error}") from error
