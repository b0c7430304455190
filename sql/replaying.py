"""Repeats erasures after the database was restored to a time before them, from the ledger that is kept outside of it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sql.holdings import Holding, HoldingsStore, columns
from sql.origin import noted
from sql.suppressing import address_of, ledgered

#: Handles of one page.
PAGE = 1000
_FIRST = UUID(int=0)
#: Later than all that was said.
_EVER = datetime.max.replace(tzinfo=UTC)


class ReplayingStore(HoldingsStore):
    """The statements that repeat erasures."""

    async def handles_of_ledger(self, client_id: str, ids: Collection[UUID], digests: Collection[bytes]) -> list[UUID]:
        """Return those of a client's handles that an erasure of the ledger was about, by their ids or by what the ledger has of their
        addresses, as far as they are not erased. Reads all handles of the client."""
        found, after = [], _FIRST
        rows = await self._page(client_id, after)
        secrets = (await self._secrets_of({client_id}))[client_id] if rows else None
        while rows and secrets is not None:
            for row in rows:
                after = row["id"]
                if after in ids:
                    found.append(after)
                    continue
                if ledgered(address_of(client_id, row, secrets.root), secrets.pepper) in digests:
                    found.append(after)
            rows = await self._page(client_id, after)
        return found

    async def until_fence(
        self, client_id: str, handles: Sequence[UUID], fenced: datetime
    ) -> tuple[list[UUID], list[Holding]]:
        """Return those of some handles of an erasure at which nothing was said since its fence, and the intervals until then of those
        at which something was said before and after, by another person. What was only said since is left alone."""
        earlier = await self.holdings_left(client_id, [Holding(handle, None, fenced) for handle in handles])
        later = await self.holdings_left(client_id, [Holding(handle, fenced, _EVER) for handle in handles])
        others = {each.handle for each in later}
        return [handle for handle in handles if handle not in others], [
            each for each in earlier if each.handle in others
        ]

    async def holdings_of_ledger(self, client_id: str, emptied: Iterable[Holding]) -> list[Holding]:
        """Return the intervals of an erasure of the ledger in which there is something, by the handles as they are now. Reads all
        handles of the client for each address."""
        made = []
        for handle, digest in {(each.handle, each.digest) for each in emptied if each.digest is not None}:
            for found in await self.handles_of_ledger(client_id, {handle}, {digest}):
                made += [each._replace(handle=found) for each in emptied if each.digest == digest]
        return await self.holdings_left(client_id, made)

    async def replay_erasure(
        self, id: UUID, client_id: str, customer_id: UUID, handles: list[UUID], emptied: Iterable[Holding] = ()
    ) -> UUID:
        """Request an erasure of the ledger once more, of these handles and intervals; without any it is only noted as known. Return
        the id under which it is: its own, or another if it is known and something came back since."""
        given = columns(emptied) | {
            "client_id": client_id,
            "customer_id": customer_id,
            "reason": f"repeats erasure {id} after a restore",
            "handles": handles,
            "repeats": id,
        }
        if not await self._run("replay_erasure", given | {"id": id} | noted()) and (handles or given["emptied"]):
            again = uuid4()
            await self._run("replay_erasure", given | {"id": again} | noted())
            return again
        return id

    async def _page(self, client_id: str, after: UUID) -> list[dict[str, Any]]:
        return await self._rows("replay_handles", {"client_id": client_id, "after": after, "limit": PAGE})
