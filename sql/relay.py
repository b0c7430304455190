"""Telling the log to others: one reader of all workers, its durable place, and the deliveries that follow from it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sql.pool import Connection, Pooled
from sql.statements import statement

#: A place in the log: a transaction, and a position within it.
Place = tuple[int, int]
#: Most events that the lag is counted to.
COUNTED = 100_000


class PlaceLost(Exception):
    """The relay's place is not of this log, or another worker has moved it; the message says which."""


class RelaySession:
    """The one relay there is, for as long as its connection lasts: all it does goes over that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, *, from_now: bool) -> Place:
        """The place up to which the log was relayed. Where there is none it is made: at the log's beginning, or
        `from_now` at its end. Raises PlaceLost where the place is beyond the log's end, as after a restore."""
        (row,) = await self._run("relay_begin", {"from_now": from_now, "horizon": await self._horizon()})
        if row["xid"] > row["log_end"]:
            raise PlaceLost(
                "the relay's place is beyond the log's end (was the database restored?): see docs/callbacks.md"
            )
        return row["xid"], row["position"]

    async def page(self, after: Place, limit: int) -> list[dict[str, Any]]:
        """The events after a place, as far as no writer can add to them any more, in order: the columns of
        `events` with `interaction_id`, `customer_id`, and the interaction's `message_id` where the event has none."""
        horizon = await self._horizon()  # before the page, in a statement of its own: see there
        return await self._run(
            "relay_page", {"xid": after[0], "position": after[1], "limit": limit, "horizon": horizon}
        )

    async def advance(self, after: Place, upto: Place, clients: Sequence[str]) -> int:
        """Move the place on, and enqueue the deliveries of what lies between for these clients, which have callbacks:
        both or neither. Returns how many deliveries were new. Raises PlaceLost where another worker was quicker."""
        stretch = {
            "after_xid": after[0],
            "after_position": after[1],
            "upto_xid": upto[0],
            "upto_position": upto[1],
            "clients": list(clients),
        }
        async with self._connection.transaction():
            enqueued = await self._run("enqueue", stretch) if clients else []
            if not await self._run("relay_advance", stretch):
                raise PlaceLost("another worker has relayed these events meanwhile")
        return len(enqueued)

    async def _horizon(self) -> int:
        (row,) = await self._run("horizon", {})
        return int(row["horizon"])

    async def _run(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(statement(name), parameters, prepare=True)
        return await cursor.fetchall()


class RelayStore(Pooled):
    """What the relay asks of the store."""

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[RelaySession | None]:
        """The relay, where no other worker has it; else None. It is let go at the end, and with a lost connection."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(statement("relay_lock"))).fetchone()
            assert row is not None
            if not row["mine"]:
                yield None
                return
            try:
                yield RelaySession(connection)
            finally:
                # The lock is the session's: closing lets go of it whatever state the connection is in.
                await connection.close()

    async def holders(self) -> list[dict[str, Any]]:
        """Whom readers of the log wait for, the oldest first: `pid`, `database`, `application_name`, `role`, `state`,
        `seconds` and `query` (its beginning) of the sessions that append just now; the last three are None where this role
        may not see them."""
        return await self._rows("holders")

    async def relay_lag(self) -> dict[str, Any]:
        """`events` not relayed yet (at most `COUNTED` are counted) and the age of the oldest in `seconds`; callbacks
        that are `disabled`; seconds that the delivery longest due is `overdue`."""
        row = await self._row("relay_lag", {"most": COUNTED})
        assert row is not None
        return row


def held_by(holder: dict[str, Any], seconds: float) -> str:
    """In words: a session that appends (a row of `RelayStore.holders`), and for how long it has."""
    program = holder["application_name"] or "unnamed"
    words = (
        f"process {holder['pid']} ({program}, role {holder['role']}) in database {holder['database']} "
        f"has appended for {seconds:.0f} s and not ended"
    )
    if holder["state"] is None:
        return f"{words}; what it does is hidden: GRANT pg_read_all_stats TO the service's login shows it"
    return f"{words}: {holder['state']}, {' '.join((holder['query'] or '').split())}"
