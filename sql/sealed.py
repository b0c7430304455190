"""Seals events for the log: what is personal in their payloads and errors, under the key of the handle that they are of.

An event without a handle is sealed under one of its client that is nobody's (`sql.handles.nobody`). A link of two handles is
named by their ids, in the log and in its own id.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.events import Error, Event
from schemas.numbering import spelled
from sql.errors import Unstorable
from sql.handles import Owned, linked, nobody
from sql.naming import Naming
from sql.parameters import Record, record_of
from sql.personal.keys import HandleKey
from sql.personal.payloads import plan_of, seal_payload, seal_value
from sql.rows import Row

#: The place of an error's text, in events, interactions, messages and attempts.
ERROR_TEXT = b"payload.error.text"
#: The place of an address that is dialled, in messages.
DIALLED = b"messages.handles"
#: The places of the cause of a message's state, and of an account's last error, which may quote a provider.
CAUSE, TROUBLE = b"messages.cause", b"lanes.trouble"


class Sealed(NamedTuple):
    """Events as they are stored, and all the handles that they name or are sealed under."""

    records: Sequence[Record]
    handles: Sequence[UUID]

    def only(self, places: Sequence[int]) -> "Sealed":
        """Return those of some places."""
        return self._replace(records=[self.records[place] for place in places])


class _Whose(NamedTuple):
    event: Event
    own: Owned | None
    other: Owned | None
    seals: Owned | None


class Sealing(Naming):
    """The part of the store that seals."""

    async def _sealed(self, rows: Sequence[Row]) -> Sealed:
        """Return events as they are stored. Raises Unstorable, with the place of the first that cannot be."""
        whose = [_whose(row) for row in rows]
        known = await self._handles({one for each in whose for one in (*each[1:3], each.seals) if one is not None})
        keys = {one: await self._key(one, known[one]) for one in {each.seals for each in whose} if one is not None}
        records = []
        for place, ((_, client, received_at, webhook_id), (event, own, other, seals)) in enumerate(
            zip(rows, whose, strict=True)
        ):
            payload, id = event.payload, event.source_event_id
            error: Error | dict[str, Any] | None = event.error
            handle, related = own and known[own].id, other and known[other].id
            if handle and related:
                payload = {key: value for key, value in payload.items() if key != "handles"}
                first, second = sorted((str(handle), str(related)))
                id = f"linked {first} {second}"
            if seals is not None:
                try:
                    payload = seal_payload(event.type, payload, keys[seals])
                    error = sealed_error(event.error, keys[seals])
                except Unstorable as refused:
                    raise Unstorable(place, refused.reason) from refused
            records.append(record_of(event, client, received_at, webhook_id, handle, related, id, payload, error))
        return Sealed(records, [each.id for each in known.values()])


def sealed_error(error: Error | dict[str, Any] | None, key: HandleKey) -> dict[str, Any] | None:
    """Return an error with its text sealed."""
    if error is None:
        return None
    if isinstance(error, Error):
        error = {"code": error.code, "text": error.text, "reason": error.reason}
    text = error.get("text")
    return error if text is None else error | {"text": seal_value(text, ERROR_TEXT, key)}


def _whose(row: Row) -> _Whose:
    client = row[1]
    event = spelled(row[0])
    if (pair := linked(client, event)) is not None:
        return _Whose(event, *pair, pair[0])
    if event.handle is not None:
        own = Owned(client, event.handle.kind, event.handle.value)
        return _Whose(event, own, None, own)
    return _Whose(event, None, None, nobody(client, event) if _says(event) else None)


def _says(event: Event) -> bool:
    """Return whether there is anything to seal in an event."""
    return (event.error is not None and event.error.text is not None) or plan_of(event.type).finds(event.payload)
