"""Keeps what providers are asked to erase, and what they answered, so that nothing that is to be asked is lost."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sql.naming import Naming

#: Requests that are made before their answers are noted.
STEP = 20


class Asked(NamedTuple):
    """What is to be asked of an `account`: to erase the message with the id `target`, or all addresses if that is empty. `source`: by
    which the messages are known."""

    account: str
    source: str
    target: str


class Answered(NamedTuple):
    """An answer: `state` is done, refused, or due if it is to be asked again after `pause` seconds."""

    asked: Asked
    state: str
    answer: str | None
    pause: float = 0.0


class ErasureRequestsStore(Naming):
    """The statements about such requests."""

    async def reached(self, id: UUID) -> list[dict[str, Any]]:
        """Return the messages by which providers know an erasure's customer: `source`, `target` (the provider's id, None without)."""
        return await self._rows("erase_reached", {"id": id})

    async def ask(self, id: UUID, requests: Sequence[Asked]) -> None:
        """Note what is to be asked; what is noted stays as it is."""
        given = {
            "accounts": [each.account for each in requests],
            "sources": [each.source for each in requests],
            "targets": [each.target for each in requests],
        }
        await self._run_only("erase_ask", given | {"id": id})

    async def asking(self, id: UUID) -> list[dict[str, Any]]:
        """Return what is to be asked next, in the order of its time: the columns of `Asked`, `tries`, `due_at`, and whether it is `due`."""
        return await self._rows("erase_asking", {"id": id, "limit": STEP})

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
