"""The relay's part of the store: the one reader among all workers, its durable place, and the deliveries it enqueues."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sql.errors import repeated
from sql.opening import Opening
from sql.pool import Connection
from sql.statements import statement

#: A place in the log: a transaction, and a position within it.
Place = tuple[int, int]
#: Opens rows.
Opened = Callable[[Sequence[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]
#: Most events that the lag is counted to.
COUNTED = 100_000


class PlaceLost(Exception):
    """The relay's place is beyond this log's end, or another worker has moved it; the message says which."""


class RelaySession:
    """The one active relay, for as long as its connection lasts; all its statements use that connection."""

    def __init__(self, connection: Connection, opened: Opened) -> None:
        """Take the connection, and the function that opens the rows of a page."""
        self._connection, self._opened = connection, opened
        #: Whether the last page was empty.
        self._idle = False

    async def begin(self, *, from_now: bool) -> Place:
        """Return the place up to which the log was relayed, at first the log's beginning or, `from_now`, its end. Raises
        PlaceLost if the place is beyond the log's end, as after a restore."""
        (row,) = await self._run("relay_begin", {"from_now": from_now, "horizon": await self._horizon()})
        if row["xid"] > row["log_end"]:
            raise PlaceLost(
                "the relay's place is beyond the log's end (was the database restored?): see docs/callbacks.md"
            )
        return row["xid"], row["position"]

    async def page(self, after: Place, limit: int) -> list[dict[str, Any]]:
        """Return the events after a place, in order, up to the oldest transaction that may still add to them: the columns of
        `events` with `interaction_id`, `customer_id`, and the interaction's `message_id` if the event has none. An event that cannot
        be opened has no payload, handle and error."""
        place = {"xid": after[0], "position": after[1]}
        if self._idle and not (await self._run("relay_behind", place))[0]["behind"]:
            return []
        horizon = await self._horizon()  # before the page, in a statement of its own: see horizon.sql
        page = await repeated(lambda: self._run("relay_page", place | {"limit": limit, "horizon": horizon}))
        self._idle = not page
        return await self._opened(page)

    async def advance(self, after: Place, upto: Place, clients: Sequence[str]) -> int:
        """Move the place, and enqueue the deliveries of the events between for these clients, which have callbacks: both or
        neither. Return how many deliveries were new. Raises PlaceLost if another worker has moved the place."""
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


class RelayStore(Opening):
    """The statements of the relay and of its lag."""

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[RelaySession | None]:
        """Yield the relay if no other worker holds its lock, else None. The lock is released at the end, and with the
        connection."""
        async with self._sessions.connection() as connection:
            row = await (await connection.execute(statement("relay_lock"))).fetchone()
            assert row is not None
            if not row["mine"]:
                yield None
                return
            self._keys.recent.on = True  # from now on this process reads back the events that it appends
            try:
                yield RelaySession(connection, partial(self._opened, closed=True))
            finally:
                self._keys.recent.on = False  # another process may have the relay from here on
                self._keys.recent.clear()
                # The lock is the session's: closing releases it whatever state the connection is in.
                await connection.close()

    async def holders(self) -> list[dict[str, Any]]:
        """Return the sessions that are appending, for which readers of the log wait, the oldest first: `pid`, `database`,
        `application_name`, `role`, `state`, `seconds` and `query` (its beginning); the last three are None where this role
        may not see them."""
        return await self._rows("holders")

    async def relay_lag(self) -> dict[str, Any]:
        """Return the `events` not relayed yet (at most `COUNTED`) and the age of the oldest in `seconds`, the number of
        `disabled` callbacks, and for how many seconds the oldest due delivery is `overdue`."""
        row = await self._row("relay_lag", {"most": COUNTED})
        assert row is not None
        return row


def held_by(holder: dict[str, Any], seconds: float) -> str:
    """Return in words which session is appending (a row of `RelayStore.holders`), and for how long."""
    program = holder["application_name"] or "unnamed"
    words = (
        f"process {holder['pid']} ({program}, role {holder['role']}) in database {holder['database']} "
        f"has appended for {seconds:.0f} s and not ended"
    )
    if holder["state"] is None:
        return f"{words}; what it does is hidden: GRANT pg_read_all_stats TO the service's login shows it"
    return f"{words}: {holder['state']}, {' '.join((holder['query'] or '').split())}"
