"""Messages that wait, or that ended without being sent: listed by state, and cancelled or released in batches."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sql.append import Appending
from sql.origin import noted
from sql.pool import Connection
from sql.rows import Row
from sql.statements import statement


class Waiting(NamedTuple):
    """Which messages of a client are meant: those in a `state`, and of a `channel` or an `account`, accepted `since` (inclusive) or
    `until` (exclusive). None means all."""

    client_id: str
    state: str
    channel: str | None = None
    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class WaitingStore(Appending):
    """The statements about several messages of a client at once."""

    async def messages_waiting(
        self, which: Waiting, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return messages. Queued messages come in the order of `due_at`, the longest due first, after the `due_at` and `id` of a message;
        those of the other states of `sql/queries/messages_in_state.sql` begin with the last changed, after a `changed_at` and `id`."""
        name, order = ("messages_queued", "due_at") if which.state == "queued" else ("messages_in_state", "changed_at")
        at, id = after or (None, None)
        return await self._opened(await self._rows(name, which._asdict() | {order: at, "id": id, "limit": limit}))

    async def cancel_messages(
        self, which: Waiting, ids: Sequence[UUID], event: Callable[[Sequence[str]], Sequence[Row]]
    ) -> int:
        """Cancel those of these messages that are still in the state, with the events that `event` makes of their message ids, in
        one transaction; return how many."""

        async def work(connection: Connection) -> int:
            parameters = {"ids": list(ids), "client_id": which.client_id, "state": which.state} | noted()
            cursor = await connection.execute(statement("cancel_messages"), parameters, prepare=True)
            cancelled = sorted(row["message_id"] for row in await cursor.fetchall())
            rows = event(cancelled)
            # These events have no handle and nothing to seal, so nothing is looked up within the transaction.
            await self.write(connection, rows, await self._sealed(rows))
            return len(cancelled)

        return await self.transact(work)

    async def release_messages(self, which: Waiting, ids: Sequence[UUID], actor: str) -> int:
        """Release those of these messages that are still in the state, held or unanswered; return how many. The audit names
        `actor`."""
        parameters = {"ids": list(ids), "client_id": which.client_id, "state": which.state, "actor": actor}
        (row,) = await self._run("release_messages", parameters | noted())
        return int(row["released"])
