"""Reads when erased customers had addresses whose keys stay, since another customer has or had them: recycled numbers, and handles
that several people share. The data of such an interval is removed and emptied, as its key cannot be destroyed.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sql.erasures import Erasure
from sql.handles import Owned
from sql.naming import Naming
from sql.suppressing import address_of, ledgered


class Holding(NamedTuple):
    """From when (None: always) to when (exclusive) an erased customer had a handle. `owned` is the handle's address, and `digest` the
    digest by which the ledger names it; None if it has been destroyed."""

    handle: UUID
    since: datetime | None
    until: datetime
    owned: Owned | None = None
    digest: bytes | None = None

    def has(self, at: datetime) -> bool:
        """Return whether a time is within it."""
        return (self.since is None or self.since <= at) and at < self.until


class HoldingsStore(Naming):
    """The statements about such intervals."""

    async def holdings(self, erasure: Erasure) -> list[Holding]:
        """Return the intervals of an erasure that has its fence."""
        rows = await self._rows("erase_holdings", {"id": erasure["id"]})
        client = erasure["client_id"]
        secrets = (await self._secrets_of({client}))[client] if rows else None
        made = []
        for row in rows:
            holding = Holding(row["id"], row["valid_from"], row["valid_to"])
            if row["sealed"] is not None and secrets is not None:
                owned = address_of(client, row, secrets.root)
                holding = holding._replace(owned=owned, digest=ledgered(owned, secrets.pepper))
            made.append(holding)
        return made

    async def holdings_to_end(self, id: UUID) -> list[dict[str, Any]]:
        """Return the addresses that are still the erased customer's: `client_id`, `customer_id`, `handle_id`, and `valid_to`, the time
        from which they belong to another customer."""
        return await self._rows("erase_ended", {"id": id})

    async def holdings_left(self, client_id: str, holdings: Sequence[Holding]) -> list[Holding]:
        """Return those of some intervals in which there is something to be erased."""
        given = columns(holdings) | {"client_id": client_id}
        return [holdings[row["place"]] for row in await self._rows("replay_intervals", given)] if holdings else []


def columns(holdings: Iterable[Holding]) -> dict[str, Any]:
    """Return some intervals as parameters of statements."""
    every = list(holdings)
    return {
        "emptied": [each.handle for each in every],
        "froms": [each.since for each in every],
        "tos": [each.until for each in every],
    }
