"""Seals events for the log: what is personal in their payloads and errors, under the key of the handle that they are of.

An event without a handle is sealed under one of its client that is nobody's (`sql.handles.nobody`). A link of two handles is
named by their ids, in the log and in its own id. Ids that others gave are stored as digests (`sql.keyed_ids`); the provider's id
of the message, and of an event that a service reported its own id, stand sealed in the payload, for who may read them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.event_data import OURS
from schemas.events import Error, Event
from schemas.numbering import spelled
from sql.errors import Unstorable
from sql.handles import LINK, Owned, linked, nobody
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
#: The members of a payload that keep ids as they were given, and their places; the first in interactions, messages and attempts too.
THEIRS, REPORTED_AS = "providerMessageId", "sourceEventId"
THEIR_ID, REPORTED_ID = b"payload.providerMessageId", b"payload.*:sourceEventId"


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


class Sealing(Naming):
    """The part of the store that seals."""

    async def _sealed(self, rows: Sequence[Row]) -> Sealed:
        """Return events as they are stored. Raises Unstorable, with the place of the first that cannot be."""
        whose = [_whose(row) for row in rows]
        seals = {each.seals for each in whose if each.seals is not None}
        known = await self._handles(seals | {each.other for each in whose if each.other is not None})
        # One look-up a row: this is half of what sealing costs.
        found = {one: (at.id, await self._key(one, at)) for one, at in known.items()}
        secrets = await self._secrets_of(
            {row[1] for row in rows if row[0].source != OURS or row[0].provider_message_id is not None}
        )
        records = []
        for place, (row, each) in enumerate(zip(rows, whose, strict=True)):
            (_, client, received_at, webhook_id), event = row, each.event
            payload, handle, related = event.payload, None, None
            id, theirs = event.source_event_id, event.provider_message_id
            error: Error | dict[str, Any] | None = event.error
            if event.source != OURS:
                id = secrets[client].ids.digest(id)
            if theirs is not None:
                theirs = secrets[client].ids.digest(theirs)
            if each.seals is not None:
                handle, key = found[each.seals]
                if each.other is not None:
                    related = found[each.other][0]
                    payload = {name: value for name, value in payload.items() if name != "handles"}
                    first, second = sorted((str(handle), str(related)))
                    id = f"linked {first} {second}"
                try:
                    payload = seal_payload(event.type, payload, key)
                    error = error and sealed_error(error, key)
                    if event.provider_message_id is not None:
                        payload[THEIRS] = seal_value(event.provider_message_id, THEIR_ID, key)
                    if each.other is None and _reported(row):
                        payload[REPORTED_AS] = seal_value(event.source_event_id, REPORTED_ID, key)
                except Unstorable as refused:
                    raise Unstorable(place, refused.reason) from refused
                if each.nobodys:
                    handle = None
            records.append(
                record_of(event, client, received_at, webhook_id, handle, related, (id, theirs), payload, error)
            )
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
    says = event.provider_message_id is not None or _reported(row) or _says(event)
    return _Whose(event, nobody(client, event), True) if says else _Whose(event, None)


def _reported(row: Row) -> bool:
    """Return whether a service reported an event, which then knows it by its id: no webhook brought it, and it is not ours."""
    return row[3] is None and row[0].source != OURS


def _says(event: Event) -> bool:
    """Return whether there is anything to seal in an event."""
    return (event.error is not None and event.error.text is not None) or plan_of(event.type).finds(event.payload)
