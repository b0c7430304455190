"""Requests erasures of customers and shows them, and sets the legal holds that forbid them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from schemas.events import Handle
from sql.append import Appending
from sql.origin import noted
from sql.pool import Connection
from sql.statements import statement

Erasure = dict[str, Any]

#: The parameters of statements that say: all handles of the customer.
ALL_HANDLES = {"handles": None, "asked": None, "asked_at": None}


class Held(Exception):
    """The customer is under a legal hold. The message has the reason and its end."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(f"under a legal hold until {until:%Y-%m-%dT%H:%M:%SZ}: {reason}")
        self.reason, self.until = reason, until


class Waits(Exception):
    """An erasure cannot go on now; the message says why, and it is tried again."""


class ErasuresStore(Appending):
    """The statements about erasures as a whole, and about legal holds."""

    async def request_erasure(self, client_id: str, customer_id: UUID, reason: str) -> UUID | None:
        """Request the erasure of a customer. Return its id; the id of an erasure that is under way already, if there is one; or None if the
        client has no such customer (any more). Raises Held."""
        await self._unheld(client_id, customer_id)
        given = {"id": uuid4(), "client_id": client_id, "customer_id": customer_id, "reason": reason}
        given |= ALL_HANDLES | noted()
        # The second time it sees what another process requested meanwhile.
        rows = await self._run("request_erasure", given) or await self._run("request_erasure", given)
        return rows[0]["id"] if rows else None

    async def erasure(self, id: UUID, client_id: str | None = None) -> Erasure | None:
        """Return an erasure, of this client if one is given; None if there is none."""
        return await self._row("erasure", {"id": id, "client_id": client_id})

    async def erasures(self, client_id: str | None, limit: int = 100) -> list[Erasure]:
        """Return the latest erasures, without their receipts."""
        return await self._rows("erasures", {"client_id": client_id, "limit": limit})

    async def erasures_due(self, limit: int = 10) -> list[UUID]:
        """Return the erasures that are under way, the oldest first."""
        return [row["id"] for row in await self._rows("erasures_due", {"limit": limit})]

    async def erasure_counts(self) -> list[dict[str, Any]]:
        """Return for each `state` the number of `erasures`, and the age of the `oldest` in seconds."""
        return await self._rows("erasure_counts")

    async def erasures_unknown(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return those of these erasures that this database does not have, or has without their fence."""
        return set(ids) - {row["id"] for row in await self._rows("erasures_known", {"ids": list(ids)})}

    async def hold_of(self, client_id: str, customer_id: UUID) -> dict[str, Any] | None:
        """Return the customer's legal hold: `reason`, `until`, `set_at`, `actor`; None without one."""
        return await self._row("erase_held", {"client_id": client_id, "customer_id": customer_id})

    async def set_hold(self, client_id: str, customer_id: UUID, reason: str, until: datetime) -> dict[str, Any] | None:
        """Set or change a customer's legal hold; return it, or None if the client has no such customer, as after the fence of an erasure.
        An erasure sets its fence either before or after this call, so that no hold is set without effect."""
        given = {"client_id": client_id, "customer_id": customer_id, "reason": reason, "until": until}
        given |= ALL_HANDLES | noted()

        async def work(connection: Connection) -> dict[str, Any] | None:
            # Nor is anything taken from the customer by a decision that is made just now.
            await connection.execute(statement("customers_lock_one"), {"client_id": client_id}, prepare=True)
            return await (await connection.execute(statement("set_hold"), given, prepare=True)).fetchone()

        return await self.transact(work)

    async def end_hold(self, client_id: str, customer_id: UUID) -> bool:
        """End a customer's legal hold; return whether there was one."""
        return bool(await self._run("end_hold", {"client_id": client_id, "customer_id": customer_id} | noted()))

    async def digest_now(self, client_id: str, handle: Handle) -> bytes:
        """Return the digest by which a handle would be found now; empty if the client has no pepper."""
        return await self._digest(client_id, handle)

    async def _unheld(self, client_id: str, customer_id: UUID) -> None:
        if (held := await self.hold_of(client_id, customer_id)) is not None:
            raise Held(held["reason"], held["until"])
