"""Repeats erasures after the database was restored to a time before them, from the ledger that is kept outside the database."""

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
#: A time later than every event.
_EVER = datetime.max.replace(tzinfo=UTC)


class ReplayingStore(HoldingsStore):
    """The statements that repeat erasures."""

    async def handles_of_ledger(self, client_id: str, ids: Collection[UUID], digests: Collection[bytes]) -> list[UUID]:
        """Return those of a client's handles that an erasure of the ledger covers and that are not erased, by their ids or by the ledger's
        digests of their addresses. Reads all handles of the client."""
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
        """Return those of an erasure's handles that have no events since its fence; and for handles with events both before and after the
        fence (the later ones are another person's), the intervals until the fence. Handles with later events only are left alone."""
        earlier = await self.holdings_left(client_id, [Holding(handle, None, fenced) for handle in handles])
        later = await self.holdings_left(client_id, [Holding(handle, fenced, _EVER) for handle in handles])
        others = {each.handle for each in later}
        return [handle for handle in handles if handle not in others], [
            each for each in earlier if each.handle in others
        ]

    async def holdings_of_ledger(self, client_id: str, emptied: Iterable[Holding]) -> list[Holding]:
        """Return the intervals of an erasure of the ledger in which there are events, with the present handles. Reads all handles of the
        client for each address."""
        made = []
        for handle, digest in {(each.handle, each.digest) for each in emptied if each.digest is not None}:
            for found in await self.handles_of_ledger(client_id, {handle}, {digest}):
                made += [each._replace(handle=found) for each in emptied if each.digest == digest]
        return await self.holdings_left(client_id, made)

    async def replay_erasure(
        self, id: UUID, client_id: str, customer_id: UUID, handles: list[UUID], emptied: Iterable[Holding] = ()
    ) -> UUID:
        """Request an erasure of the ledger once more, of these handles and intervals; without any, only note that it is known. Return the
        id of the requested erasure: the ledger's, or a new id if that erasure is known and data came back since."""
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
