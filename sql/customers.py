"""Reads customers: their assignments, the rows that belong to these, and the decisions on customers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sql.opening import Opening

#: Most handles of one customer (the function `most_handles` of the database); and a number of handles that hardly any person exceeds.
MOST, MANY = 1000, 50


class Side(NamedTuple):
    """A customer, and some of its assignments: those that a request names."""

    customer_id: UUID
    assignments: list[dict[str, Any]]

    @property
    def ids(self) -> list[UUID]:
        """The assignments' ids; the first one stands for the customer."""
        return [row["id"] for row in sorted(self.assignments, key=lambda row: row["own_id"] != self.customer_id)]


class CustomersStore(Opening):
    """The store's part that reads customers."""

    async def customer_assignments(self, client_id: str, customer: UUID) -> Side | None:
        """Return a customer's assignments, by its id or by the id of a customer that was merged into it; None if there is none."""
        rows = await self._opened(
            await self._rows("customer_assignments", {"client_id": client_id, "customers": [customer]})
        )
        return Side(rows[0]["customer_id"], rows) if rows else None

    async def customer_interactions(self, assignments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return how many interactions the handles of some assignments have in their intervals: `channel`, `interactions`, `waiting`
        (not sent yet)."""
        given = {
            "handles": [row["handle_id"] for row in assignments],
            "froms": [row["valid_from"] for row in assignments],
            "tos": [row["valid_to"] for row in assignments],
        }
        return await self._rows("customer_interactions", given)

    async def customer_consents(self, ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """Return the consents at some assignments' handles: `handle_id`, `channel`, `opted_out`, and time and basis of both
        states."""
        return await self._rows("customer_consents", {"ids": list(ids)})

    async def customer_changes_of(self, client_id: str, ids: Sequence[UUID], limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest decisions on some assignments: `event_id`, `kind`, `at`, `undone_by`, `one_id`, `other_id`,
        `evidence`, `decided_cause`."""
        given = {"client_id": client_id, "ids": list(ids), "limit": limit}
        return await self._opened(await self._rows("customer_changes_of", given))

    async def customer_conflicts(self, client_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the links that contradict a split, newest first: `since`, `refused_by`, and for each side kind, value and
        customer."""
        return await self._opened(await self._rows("customer_conflicts", {"client_id": client_id, "limit": limit}))
