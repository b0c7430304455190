"""Reads timelines, interactions and changes for the API and the command line. Ids are `uuid.UUID`, times aware and in
UTC.

An interaction is a dict with `id`, `client_id`, `customer_id`, `channel`, `direction`, `provider`,
`provider_message_id`, `message_id`, `handle_id`, `address_kind`, `address_value`, `content`, `error`, `delivery`,
`status`, `contradiction`, `timestamp`, and `facts`: the earliest time of each fact by its name (see
`sql.facts`; `ended` is a call's end, `completed` a service's report that it has dealt with the interaction).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.events import Handle
from sql.interactions import Interaction, interaction_row
from sql.messages import Reference
from sql.opening import Opening


class Reading(Opening):
    """Reads the log and its projections. All methods raise psycopg.OperationalError while the database is away."""

    async def timeline(
        self,
        client_id: str,
        customer_id: UUID,
        *,
        before: tuple[datetime, UUID] | None = None,
        limit: int = 50,
        channel: str | None = None,
        direction: str | None = None,
        status: str | None = None,
        delivery: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Interaction]:
        """Return a customer's interactions, newest first by (timestamp, id): at most `limit`, after the previous page's
        last key (`before`), from `since` (inclusive) to `until` (exclusive). Empty if there is no such customer."""
        parameters = {
            "client_id": client_id,
            "customer_id": customer_id,
            "before_timestamp": before and before[0],
            "before_id": before and before[1],
            "limit": limit,
            "channel": channel,
            "direction": direction,
            "status": status,
            "delivery": delivery,
            "since": since,
            "until": until,
        }
        return await self._interactions("timeline", parameters)

    async def customer_of(self, client_id: str, kind: str, value: str) -> list[dict[str, Any]]:
        """Return all handles (`id`, `customer_id`, `kind`, `value`) of the customer who has this handle; empty if the
        handle is unknown."""
        rows = await self._rows("customer_of", await self._key_of(client_id, Handle(kind, value)))
        return by_value(await self._opened(rows))

    async def handles(self, client_id: str, customer_id: UUID) -> list[dict[str, Any]]:
        """Return a customer's handles, as `customer_of` does; empty if there is no such customer."""
        return by_value(
            await self._opened(await self._rows("handles", {"client_id": client_id, "customer_id": customer_id}))
        )

    async def unapplied_links(self, client_id: str, customer_id: UUID, *, limit: int = 100) -> list[dict[str, Any]]:
        """Return links of a customer's handles that were stated but do not apply: the customer's handle (`of_kind`,
        `of_value`) and the other one (`kind`, `value`). A handle that several people share, or more handles than one
        person has, joins nobody."""
        parameters = {"client_id": client_id, "customer_id": customer_id, "limit": limit}
        return by_value(await self._opened(await self._rows("unapplied_links", parameters)))

    async def applied_links(self, client_id: str, customer_id: UUID, *, limit: int = 100) -> list[dict[str, Any]]:
        """Return the links between a customer's own handles, each once, as `unapplied_links` does, with their `evidence`."""
        parameters = {"client_id": client_id, "customer_id": customer_id, "limit": limit}
        return by_value(await self._opened(await self._rows("applied_links", parameters)))

    async def interaction(self, client_id: str, id: UUID) -> Interaction | None:
        """Return one interaction, or None. For the id of an interaction that was merged into another, return that other interaction."""
        found = await self._interactions("interaction", {"client_id": client_id, "id": id})
        return found[0] if found else None

    async def history(self, client_id: str, id: UUID) -> list[dict[str, Any]]:
        """Return the events of the interaction with exactly this id, in the order of the log, with the columns of
        `events`, without those that are archived (see `archived_months`)."""
        return await self._opened(await self._rows("history", {"client_id": client_id, "id": id}))

    async def archived_months(self, since: datetime) -> list[str]:
        """Return the months from a time on that are only in the archive, as `YYYY-MM`. The events of an interaction that was first seen
        at that time may be in these months, and in no other archived month."""
        return [row["month"] for row in await self._rows("archived_months", {"since": since})]

    async def horizon(self) -> int:
        """Return the oldest transaction that may still append. The events of all older transactions are complete, and visible to later
        queries."""
        row = await self._row("horizon")
        assert row is not None
        return int(row["horizon"])

    async def log_end(self) -> int:
        """Return the next transaction number: no place in the log is beyond it."""
        row = await self._row("log_end")
        assert row is not None
        return int(row["log_end"])

    async def changes_since(
        self, *, xid: int, position: int, horizon: int, customers: Sequence[UUID], limit: int
    ) -> list[Interaction]:
        """Return the interactions of these customers that were changed by events after the place (xid, position) and by
        transactions before `horizon`, in the order of their last change, with its place (`change_xid`,
        `change_position`) and the ids of `customers` by which its customer was asked for (`asked_for`). Reads the log from
        that place on, so it is for readers near the log's end. One that cannot be opened has `closed`: True and nothing that is
        sealed: this serves the streams of all clients."""
        parameters = {
            "xid": xid,
            "position": position,
            "horizon": horizon,
            "customers": list(customers),
            "limit": limit,
        }
        return await self._interactions("changes_since", parameters, closed=True)

    async def customer_changes(
        self, *, client_id: str, customer_id: UUID, xid: int, position: int, limit: int
    ) -> list[Interaction]:
        """Return the same as `changes_since`, for one customer and up to the current horizon. This reads the customer's interactions, not
        the log, so the place may be far back. Interactions that a transaction past the horizon changed come in a later call."""
        parameters = {
            "client_id": client_id,
            "customer_id": customer_id,
            "xid": xid,
            "position": position,
            "horizon": await self.horizon(),
            "limit": limit,
        }
        return await self._interactions("customer_changes", parameters)

    async def traces(self, references: Sequence[Reference]) -> list[dict[str, Any]]:
        """Return the `trace` (a `traceparent`) of each of these messages that is traced, with the `place` of its
        reference."""
        return await self._rows("traces", {"references": await self._references(references)})

    async def _interactions(
        self, name: str, parameters: Mapping[str, Any], *, closed: bool = False
    ) -> list[Interaction]:
        return await self._opened(await self._rows(name, parameters, interaction_row), closed=closed)


def by_value(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return handles, or pairs of them, in the order of their kinds and values."""
    names = [name for name in ("of_kind", "of_value", "kind", "value") if rows and name in rows[0]]
    return sorted(rows, key=lambda row: [row[name] for name in names])
