"""Seals events for the log: the personal values of their payloads and errors are encrypted under the key of the event's handle. Values
that the client does not want stored are left out before (`sql.personal.withheld`).

An event without a handle is sealed under a handle of its client that belongs to nobody (`sql.handles.nobody`). A link of two handles has
their ids, in the log and in its own id. Ids that others gave are stored as digests (`sql.keyed_ids`). The provider's id of the message,
and a service's id of an event that it reported, are sealed in the payload, for readers who may see them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.event_data import OURS
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
#: The place of the reason of a decision on customers, in events and in the rows that are projected from them.
DECIDED = b"payload.cause"
#: The places of the cause of a message's state, and of an account's last error, which may quote a provider.
CAUSE, TROUBLE = b"messages.cause", b"lanes.trouble"
#: The place of an answer that is kept for an Idempotency-Key.
ANSWER = b"idempotency_keys.answer"
#: The members of a payload that keep ids as they were given, and their places; the first in interactions, messages and attempts too.
THEIRS, REPORTED_AS = "providerMessageId", "sourceEventId"
THEIR_ID, REPORTED_ID = b"payload.providerMessageId", b"payload.*:sourceEventId"


class Sealed(NamedTuple):
    """Events as they are stored, which name their handles by place, and all the handles that they name or are sealed under."""

    records: Sequence[Record]
    handles: Sequence[UUID]

    def only(self, places: Sequence[int]) -> "Sealed":
        """Return the events at some places."""
        return self._replace(records=[self.records[place] for place in places])


#: An event with the handle that seals it, whether that handle is nobody's, and the handle that it is linked with. A bare tuple: making
#: an object of a class costs a third as much as sealing an event.
_Whose = tuple[Event, Owned | None, bool, Owned | None]


class Sealing(ContentsStore):
    """The part of the store that seals."""

    async def _sealed(self, rows: Sequence[Row], contents: Mapping[str, Contents] | None = None) -> Sealed:
        """Return events as they are stored: without the values that their clients do not want stored, and sealed. `contents`: the clients'
        modes, by default those of the present configuration. For events that have no handle and nothing to seal, nothing is looked up.
        Raises Unstorable, with the place of the first event that cannot be stored."""
        whose = [_whose(row) for row in rows]
        seals = {each[1] for each in whose if each[1] is not None}
        clients = {row[1] for row in rows}
        if contents is None:
            contents = await self.contents(clients) if seals else {}
        known = await self._handles(seals | {each[3] for each in whose if each[3] is not None})
        found = {
            one: (place, at.id, self._keys.kept(at.id) or await self._key(one, at))
            for place, (one, at) in enumerate(known.items(), 1)
        }
        secrets = await self._secrets_of(clients)
        records = []
        for place, (row, (event, seal, nobodys, other)) in enumerate(zip(rows, whose, strict=True)):
            _, client, received_at, webhook_id = row
            payload, handle, related = event.payload, None, None
            id, theirs = event.source_event_id, event.provider_message_id
            error: Error | dict[str, Any] | None = event.error
            if event.source != OURS:
                id = secrets[client].ids.digest(id)
            if theirs is not None:
                theirs = secrets[client].ids.digest(theirs)
            if seal is not None:
                handle, whose_id, key = found[seal]
                if client in contents and (mode := contents[client].mode(event.channel)) != "keep":
                    payload, error = withhold_payload(event.type, payload, mode), withhold_error(event.error, mode)
                if other is not None:
                    related, other_id, _ = found[other]
                    payload = {name: value for name, value in payload.items() if name != "handles"}
                    first, second = sorted((str(whose_id), str(other_id)))
                    id = f"linked {first} {second}"
                try:
                    payload = seal_payload(event.type, payload, key)
                    error = error and sealed_error(error, key)
                    if event.provider_message_id is not None:
                        payload[THEIRS] = seal_value(event.provider_message_id, THEIR_ID, key)
                    if other is None and _reported(row):
                        payload[REPORTED_AS] = seal_value(event.source_event_id, REPORTED_ID, key)
                except Unstorable as refused:
                    raise Unstorable(place, refused.reason) from refused
                if nobodys:
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
    given, client, _, _ = row
    event = spelled(given)
    if event.type == LINK and (pair := linked(client, event)) is not None:
        return event, pair[0], False, pair[1]
    if (handle := event.handle) is not None:
        return event, Owned(client, handle.kind, handle.value), False, None
    says = event.provider_message_id is not None or _reported(row) or _says(event)
    return (event, nobody(client, event), True, None) if says else (event, None, False, None)


def _reported(row: Row) -> bool:
    """Return whether a service reported an event, and so knows it by its id: no webhook brought it, and it is not our own event."""
    return row[3] is None and row[0].source != OURS


def _says(event: Event) -> bool:
    """Return whether there is anything to seal in an event."""
    return (event.error is not None and event.error.text is not None) or plan_of(event.type).finds(event.payload)
