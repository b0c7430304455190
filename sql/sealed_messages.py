"""Seals messages to be sent: request and error under the handle of the recipient, each address under its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from schemas.personal import REQUEST
from sql.handles import NOBODY, UNDATED, Owned, owned_by
from sql.messages import NewMessage, Settled
from sql.opening import Opening
from sql.personal.payloads import seal_payload, seal_value
from sql.sealed import DIALLED, Sealing, sealed_error


class SealedMessages(NamedTuple):
    """Messages as `accept` reads them, and the handles that they name or are sealed under."""

    messages: Sequence[tuple[Any, ...]]
    handles: Sequence[UUID]


class SealingMessages(Sealing, Opening):
    """The part of the store that seals messages."""

    async def _sealed_messages(self, messages: Sequence[NewMessage]) -> SealedMessages:
        """Return messages as they are stored. Raises Unstorable for a request that cannot be."""
        whose = [[owned_by(each.client_id, handle) for _, handle in each.handles] for each in messages]
        # A message without an address ends at once, and is nobody's.
        recipients = [
            owned[0] if owned else Owned(each.client_id, NOBODY, UNDATED)
            for each, owned in zip(messages, whose, strict=True)
        ]
        known = await self._handles({*recipients, *(one for owned in whose for one in owned)})
        keys = {one: await self._key(one, at) for one, at in known.items()}
        sealed = []
        for each, owned, recipient in zip(messages, whose, recipients, strict=True):
            handles = [
                (channel, f"{handle.kind}\x1f{seal_value(handle.value, DIALLED, keys[one])}", known[one].id)
                for (channel, handle), one in zip(each.handles, owned, strict=True)
            ]
            key = keys[recipient]
            request = seal_payload(REQUEST, each.request, key)
            row = each._replace(request=request, error=sealed_error(each.error, key), handles=[])
            sealed.append((*row[_FIRST:_HANDLES], handles, *row[_HANDLES + 1 :]))
        return SealedMessages(sealed, [each.id for each in known.values()])

    async def _sealed_outcomes(self, settled: Sequence[Settled]) -> Sequence[Settled]:
        """Return outcomes with the texts of their errors sealed under the recipients of their messages; that of an erased one is left
        out."""
        failed = [each.id for each in settled if each.error is not None and each.error.get("text") is not None]
        if not failed:
            return settled
        rows = await self._rows("recipients", {"ids": failed})
        recipients = {str(row["id"]): row["handle_id"] for row in rows}
        keys = await self._keys_by_id({id for id in recipients.values() if id is not None})
        made = []
        for each in settled:
            if each.error is not None and each.error.get("text") is not None:
                recipient = recipients.get(each.id)
                key = None if recipient is None else keys[recipient]
                error = each.error | {"text": None} if key is None else sealed_error(each.error, key)
                each = replace(each, error=error)
            made.append(each)
        return made


#: The fields of a NewMessage before those that `accept` reads, and the place of `handles`.
_FIRST, _HANDLES = NewMessage._fields.index("client_id"), NewMessage._fields.index("handles")
