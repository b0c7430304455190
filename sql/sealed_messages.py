"""Seals messages to be sent: request and error under the handle of the recipient, each address under its own handle."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from schemas.personal import REQUEST
from sql.handles import NOBODY, UNDATED, Owned, owned_by
from sql.keyed_requests import keyed_mark, keyed_name
from sql.messages import KeptAnswer, LaneReport, NewMessage, Settled
from sql.opening import Opening
from sql.personal.keys import HandleKey
from sql.personal.payloads import seal_payload, seal_value
from sql.personal.withheld import Contents, Mode, strictest, withhold_payload, withhold_text
from sql.rows import Row
from sql.sealed import ANSWER, CAUSE, DIALLED, THEIR_ID, TROUBLE, Sealing, sealed_error


class SealedMessages(NamedTuple):
    """Messages as `accept` reads them; the handles that they name or are sealed under; and for each message the handles that it names."""

    messages: Sequence[tuple[Any, ...]]
    handles: Sequence[UUID]
    named: Sequence[Sequence[UUID]]


#: By client: the key under which answers are sealed, and the root key.
Answering = Mapping[str, tuple[HandleKey, bytes]]


class SealingMessages(Sealing, Opening):
    """The part of the store that seals messages."""

    async def _sealed_messages(self, messages: Sequence[NewMessage]) -> SealedMessages:
        """Return messages as they are stored. Raises Unstorable for a request that cannot be stored."""
        whose = [[owned_by(each.client_id, handle) for _, handle in each.handles] for each in messages]
        # A message without an address ends at once, and belongs to nobody.
        recipients = [
            owned[0] if owned else Owned(each.client_id, NOBODY, UNDATED)
            for each, owned in zip(messages, whose, strict=True)
        ]
        clients = {each.client_id for each in messages}
        contents, secrets = await self.contents(clients), await self._secrets_of(clients)
        known = await self._handles({*recipients, *(one for owned in whose for one in owned)})
        keys = {one: await self._key(one, at) for one, at in known.items()}
        sealed = []
        for each, owned, recipient in zip(messages, whose, recipients, strict=True):
            handles = [
                (channel, f"{handle.kind}\x1f{seal_value(handle.value, DIALLED, keys[one])}", known[one].id)
                for (channel, handle), one in zip(each.handles, owned, strict=True)
            ]
            key = keys[recipient]
            request, mode = seal_payload(REQUEST, each.request, key), _mode(each, contents.get(each.client_id))
            # The message needs its whole request until it has ended.
            left = None if mode == "keep" else seal_payload(REQUEST, withhold_payload(REQUEST, each.request, mode), key)
            root = secrets[each.client_id].root
            row = each._replace(
                request=request,
                error=sealed_error(_left(each.error, mode), key),
                handles=[],
                fingerprint=keyed_mark(bytes.fromhex(each.fingerprint), root).hex(),
                key=None if each.key is None else keyed_name(each.key, root),
            )
            sealed.append((*row[_FIRST:_HANDLES], handles, *row[_HANDLES + 1 :], left))
        named = [[known[one].id for one in owned] for owned in whose]
        return SealedMessages(sealed, [each.id for each in known.values()], named)

    async def _answering(self, clients: set[str]) -> Answering:
        """Return the keys with which answers to requests of these clients are kept."""
        owned = [Owned(client, NOBODY, UNDATED) for client in clients]
        known, secrets = await self._handles(owned), await self._secrets_of(clients)
        return {one.client: (await self._key(one, known[one]), secrets[one.client].root) for one in owned}

    async def _sealed_outcomes(self, settled: Sequence[Settled], rows: Sequence[Row] = ()) -> list[list[Any]]:
        """Return outcomes as `settle` reads them: their causes, the texts of their errors and the providers' ids are sealed under the
        recipients of their messages. If a recipient was erased, these are left out; of errors, so is the text that the client does not
        want stored. `rows`: the events that are written with them, sealed before: the transaction fails if one names an erased handle."""
        named = {owned_by(client, event.handle) for event, client, _, _ in rows if event.handle is not None}
        whose: dict[str, tuple[str, HandleKey | None]] = {}
        left = []
        for each in settled:
            if (each.cause, each.error, each.provider_message_id) == (None, None, None):
                continue
            owned = None if each.recipient is None else owned_by(*each.recipient)
            if owned is not None and owned in named and (known := self._known.get(owned)) is not None:
                whose[each.id] = owned.client, await self._key(owned, known)
            else:
                left.append(each.id)
        if left:
            whose |= await self._recipients(left)
        contents = await self.contents({client for client, _ in whose.values()}) if whose else {}
        return [_outcome(each, whose.get(each.id), contents) for each in settled]

    async def _recipients(self, messages: Sequence[str]) -> dict[str, tuple[str, HandleKey | None]]:
        """Return for each message the client, and the key of the recipient; None as key if the recipient was erased."""
        rows = await self._rows("recipients", {"ids": messages})
        nobodies = {Owned(row["client_id"], NOBODY, UNDATED) for row in rows if row["handle_id"] is None}
        known = await self._handles(nobodies)
        whose = {
            str(row["id"]): (
                row["client_id"],
                row["handle_id"] or known[Owned(row["client_id"], NOBODY, UNDATED)].id,
            )
            for row in rows
        }
        keys = await self._keys_by_id({handle for _, handle in whose.values()})
        return {message: (client, keys.get(handle)) for message, (client, handle) in whose.items()}

    async def _sealed_reports(self, reports: Sequence[LaneReport]) -> list[LaneReport]:
        """Return how accounts did, with the words of their errors sealed, since these may name a recipient. They are sealed under nobody's handle."""
        if not any(each.trouble for each in reports):
            return list(reports)
        rows = await self._rows("lane_clients", {"ids": [each.lane for each in reports if each.trouble]})
        owned = {str(row["id"]): Owned(row["client_id"], NOBODY, UNDATED) for row in rows}
        known = await self._handles(set(owned.values()))
        keys = {lane: await self._key(one, known[one]) for lane, one in owned.items()}
        # Something of a failing account's error must be left, to be shown.
        contents = await self.contents({one.client for one in owned.values()})
        masked = {
            lane for lane, one in owned.items() if one.client in contents and contents[one.client].mode(None) != "keep"
        }
        reports = [
            each._replace(trouble=withhold_text(each.trouble, "mask")) if each.lane in masked else each
            for each in reports
        ]
        return [
            each._replace(trouble=seal_value(each.trouble, TROUBLE, keys[each.lane]) if each.lane in keys else None)
            if each.trouble
            else each
            for each in reports
        ]


def sealed_answers(
    answers: Sequence[KeptAnswer], answering: Answering, named: Sequence[Sequence[UUID]]
) -> list[tuple[Any, ...]]:
    """Return answers as `remember` reads them: sealed under nobody's handle, since an answer may be about messages of several people.
    `named`: the handles that each accepted message names."""
    rows = []
    for each in answers:
        key, root = answering[each.client_id]
        handles = sorted({str(handle) for place in each.places for handle in named[place]})
        mark, answer = keyed_mark(each.fingerprint, root).hex(), key.seal(each.answer, ANSWER).hex()
        rows.append((each.client_id, keyed_name(each.key, root), mark, each.status, answer, handles))
    return rows


def _mode(message: NewMessage, contents: Contents | None) -> Mode:
    """Return the strictest mode of the channels by which a message may leave."""
    if contents is None:
        return "keep"
    channels = {message.channel, *(channel for channel, _ in message.handles if channel != USER)}
    return strictest(*(contents.mode(channel) for channel in channels))


def _left(error: dict[str, Any] | None, mode: Mode) -> dict[str, Any] | None:
    """Return an error with as much of its text as the mode leaves."""
    return error and error | {"text": withhold_text(error.get("text"), mode)}


def _outcome(
    settled: Settled, whose: tuple[str, HandleKey | None] | None, contents: Mapping[str, Contents]
) -> list[Any]:
    """Return an outcome as `settle` reads it."""
    client, key = ("", None) if whose is None else whose
    row = [*_SETTLED(settled)]
    cause, error, theirs = row[_CAUSE], row[_ERROR], row[_THEIRS]
    if (left := _left(error, contents[client].mode(settled.channel) if client in contents else "keep")) is not None:
        row[_ERROR] = left | {"text": None} if key is None else sealed_error(left, key)
    if cause is not None:
        row[_CAUSE] = None if key is None else seal_value(cause, CAUSE, key)
    if theirs is not None:
        row[_THEIRS] = None if key is None else seal_value(theirs, THEIR_ID, key)
    return row


#: Stands in place of a channel, beside the service's own id of a recipient.
USER = "user"
#: The fields of a NewMessage before those that `accept` reads, and the place of `handles`.
_FIRST, _HANDLES = NewMessage._fields.index("client_id"), NewMessage._fields.index("handles")
#: The columns of a claim's outcome, in the order in which `settle` reads them, and the places of the sealed columns.
_COLUMNS = [each.name for each in fields(Settled) if each.name != "recipient"]
_SETTLED = attrgetter(*_COLUMNS)
_CAUSE, _ERROR, _THEIRS = map(_COLUMNS.index, ("cause", "error", "provider_message_id"))
