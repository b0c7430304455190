"""Keeps the requests to providers to erase data, and their answers, so that no request is lost."""

from binascii import a2b_base64
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sql.opening import Opening
from sql.personal.keys import HandleKey, handle_of
from sql.personal.opened import open_value
from sql.personal.payloads import PREFIX
from sql.sealed import THEIR_ID

#: Requests that are made before their answers are noted.
STEP = 20


class Asked(NamedTuple):
    """A request to an `account`'s provider: to erase a message, or all addresses if `target` is empty. `source`: the source of the
    messages; `target`: the provider's id of the message as it is stored, sealed; `id`: the same id in clear, for the call."""

    account: str
    source: str
    target: str
    id: str = ""


class Answered(NamedTuple):
    """An answer: `state` is done, refused, or due if it is to be asked again after `pause` seconds."""

    asked: Asked
    state: str
    answer: str | None
    pause: float = 0.0


class ProviderErasuresStore(Opening):
    """The statements about such requests."""

    async def reached(self, id: UUID) -> list[dict[str, Any]]:
        """Return the messages by which providers know an erasure's customer: `source`, `target` (the provider's id as it is stored,
        None without)."""
        return await self._rows("erase_reached", {"id": id})

    async def ask(self, id: UUID, requests: Sequence[Asked]) -> None:
        """Note requests; a request that is noted already stays as it is."""
        given = {
            "accounts": [each.account for each in requests],
            "sources": [each.source for each in requests],
            "targets": [each.target for each in requests],
        }
        await self._run_only("erase_ask", given | {"id": id})

    async def asking(self, id: UUID) -> list[dict[str, Any]]:
        """Return the next requests, in the order of their times: the columns of `Asked`, `tries`, `due_at`, and whether the request is `due`."""
        rows = await self._rows("erase_asking", {"id": id, "limit": STEP})
        if not rows:
            return []
        keys = await self._keys_of(id, rows[0]["client_id"], [row["target"] for row in rows])
        return [
            row
            | {"id": row["target"] and open_value(row["target"], THEIR_ID, lambda sealed: keys.get(handle_of(sealed)))}
            for row in rows
        ]

    async def _keys_of(self, id: UUID, client: str, targets: Sequence[str]) -> dict[UUID, HandleKey | None]:
        """Return the keys of the handles under which ids are sealed: of the erasure's own handles, whose keys no other call gives any more,
        and of handles that another customer has too."""
        root = (await self._secrets_of({client}))[client].root
        rows = await self._rows("erase_values", {"id": id})
        own: dict[UUID, HandleKey | None] = {row["id"]: HandleKey(row["id"], row["salt"], root) for row in rows}
        named = {handle_of(a2b_base64(target.removeprefix(PREFIX))) for target in targets if target}
        return await self._keys_by_id(named - own.keys()) | own

    async def answered(self, id: UUID, answers: Sequence[Answered]) -> None:
        """Note answers."""
        given = {
            "sources": [each.asked.source for each in answers],
            "targets": [each.asked.target for each in answers],
            "states": [each.state for each in answers],
            "answers": [each.answer for each in answers],
            "pauses": [each.pause for each in answers],
        }
        await self._run_only("erase_answered", given | {"id": id})
