"""What the API and the command line read. Rows are dicts; ids are `uuid.UUID`, times aware `datetime`s in UTC.

An interaction is a dict with `id`, `client_id`, `customer_id`, `channel`, `direction`, `provider`,
`provider_message_id`, `message_id`, `handle_id`, `address_kind`, `address_value`, `content`, `error`, `delivery`,
`status`, `contradiction`, `timestamp`, and `facts`: the first time of each fact that was seen, by name (`sent`,
`delivered`, …; `ended` is a call's end, `completed` a service's word that it dealt with the interaction).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sql.facts import FACTS
from sql.pool import Pooled

Shown = dict[str, Any]


class Reading(Pooled):
    """What reads the log and what is folded from it. All raise psycopg.OperationalError while the database is away."""

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
    ) -> list[Shown]:
        """A customer's interactions, newest first by (timestamp, id): at most `limit`, before the key of the last
        page's last, `since` (inclusive) to `until` (exclusive). Empty also where there is no such customer."""
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
        return [_shown(row) for row in await self._rows("timeline", parameters)]

    async def customer_of(self, client_id: str, kind: str, value: str) -> list[dict[str, Any]]:
        """All handles (`id`, `customer_id`, `kind`, `value`) of the customer whom this one belongs to; empty where the
        handle is unknown."""
        return await self._rows("customer_of", {"client_id": client_id, "kind": kind, "value": value})

    async def handles(self, client_id: str, customer_id: UUID) -> list[dict[str, Any]]:
        """A customer's handles, as `customer_of` gives them; empty where there is no such customer."""
        return await self._rows("handles", {"client_id": client_id, "customer_id": customer_id})

    async def interaction(self, client_id: str, id: UUID) -> Shown | None:
        """One interaction. The id of one that was joined to another gives that other."""
        row = await self._row("interaction", {"client_id": client_id, "id": id})
        return _shown(row) if row else None

    async def history(self, client_id: str, id: UUID) -> list[dict[str, Any]]:
        """The events of the interaction with exactly this id, in the order of the log; columns as in `events`."""
        return await self._rows("history", {"client_id": client_id, "id": id})

    async def horizon(self) -> int:
        """The oldest transaction that may still append: whatever older ones did is visible to who asks after this, and
        will not grow."""
        row = await self._row("horizon")
        assert row is not None
        return int(row["horizon"])

    async def log_end(self) -> int:
        """The number that no transaction has had yet: no place in the log is beyond it."""
        row = await self._row("log_end")
        assert row is not None
        return int(row["log_end"])

    async def changes_since(
        self, *, xid: int, position: int, horizon: int, customers: Sequence[UUID], limit: int
    ) -> list[Shown]:
        """The interactions of these customers that events after the place (xid, position), of transactions before
        `horizon`, changed, each with `change_xid` and `change_position`, the place of its last change there, and in
        that order. Reads the log from that place: for who keeps up with it."""
        parameters = {
            "xid": xid,
            "position": position,
            "horizon": horizon,
            "customers": list(customers),
            "limit": limit,
        }
        return [_shown(row) for row in await self._rows("changes_since", parameters)]

    async def customer_changes(
        self, *, client_id: str, customer_id: UUID, xid: int, position: int, limit: int
    ) -> list[Shown]:
        """As `changes_since`, up to the present horizon, for one customer and from a place however long ago: reads the
        customer's interactions, not the log. One that a transaction past the horizon changed is left to later."""
        parameters = {
            "client_id": client_id,
            "customer_id": customer_id,
            "xid": xid,
            "position": position,
            "horizon": await self.horizon(),
            "limit": limit,
        }
        return [_shown(row) for row in await self._rows("customer_changes", parameters)]


def _shown(row: dict[str, Any]) -> Shown:
    row["facts"] = {fact.name: at for fact in FACTS if (at := row.pop(fact.column)) is not None}
    return row
