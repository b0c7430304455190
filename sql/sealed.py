"""Seals events for the log: what is personal in their payloads and errors, under the key of the handle that they are of. What
their client does not want stored is left out before (`sql.personal.withheld`).

An event without a handle is sealed under one of its client that is nobody's (`sql.handles.nobody`). A link of two handles is
named by their ids, in the log and in its own id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.events import Error, Event
from schemas.numbering import spelled
from sql.contents import ContentsStore
from sql.errors import Unstorable
from sql.handles import LINK, Owned, linked, nobody
from sql.parameters import Record, record_of
from sql.personal.keys import HandleKey
from sql.personal.payloads import plan_of, seal_payload, seal_value
from sql.personal.withheld import Contents, withhold_error, withhold_payload
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
    """An event with the handle that seals it, whether that is nobody's, and the handle that it is linked with."""

    event: Event
    seals: Owned | None
    nobodys: bool = False
    other: Owned | None = None


class Sealing(ContentsStore):
    """The part of the store that seals."""

    async def _sealed(self, rows: Sequence[Row], contents: Mapping[str, Contents] | None = None) -> Sealed:
        """Return events as they are stored: without what their clients do not want stored (`contents`: as they are configured now,
        if not given), and sealed. Nothing is looked up for events that have no handle and say nothing. Raises Unstorable, with
        the place of the first that cannot be."""
        whose = [_whose(row) for row in rows]
        seals = {each.seals for each in whose if each.seals is not None}
        if contents is None:
            contents = await self.contents({one.client for one in seals}) if seals else {}
        known = await self._handles(seals | {each.other for each in whose if each.other is not None})
        # One look-up a row: this is half of what sealing costs.
        found = {one: (at.id, await self._key(one, at)) for one, at in known.items()}
        records = []
        for place, ((_, client, received_at, webhook_id), each) in enumerate(zip(rows, whose, strict=True)):
            event = each.event
            payload, id, handle, related = event.payload, event.source_event_id, None, None
            error: Error | dict[str, Any] | None = event.error
            if each.seals is not None:
                handle, key = found[each.seals]
                if client in contents and (mode := contents[client].mode(event.channel)) != "keep":
                    payload, error = withhold_payload(event.type, payload, mode), withhold_error(event.error, mode)
                if each.other is not None:
                    related = found[each.other][0]
                    payload = {name: value for name, value in payload.items() if name != "handles"}
                    first, second = sorted((str(handle), str(related)))
                    id = f"linked {first} {second}"
                try:
                    payload = seal_payload(event.type, payload, key)
                    error = error and sealed_error(error, key)
                except Unstorable as refused:
                    raise Unstorable(place, refused.reason) from refused
                if each.nobodys:
                    handle = None
            records.append(record_of(event, client, received_at, webhook_id, handle, related, id, payload, error))
        return Sealed(records, [at.id for at in known.values()])


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
    if event.type == LINK and (pair := linked(client, event)) is not None:
        return _Whose(event, pair[0], False, pair[1])
    if event.handle is not None:
        return _Whose(event, Owned(client, event.handle.kind, event.handle.value))
    return _Whose(event, nobody(client, event), True) if _says(event) else _Whose(event, None)


def _says(event: Event) -> bool:
    """Return whether there is anything to seal in an event."""
    return (event.error is not None and event.error.text is not None) or plan_of(event.type).finds(event.payload)
