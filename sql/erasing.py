"""Erases customers, step by step (`app.erasing.steps` has their order). Each step is committed, and can be repeated."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from schemas.event_data import OURS
from schemas.events import Event
from sql.append import Appending
from sql.erasures import Erasure, Held, Waits
from sql.errors import REPEAT
from sql.handles import Owned
from sql.pool import Connection
from sql.rows import Row
from sql.statements import statement
from sql.suppressing import Suppressing, address_of, ledgered, suppressions, to_suppress

#: Errors which mean that another process uses the tables that are needed: try again.
_BUSY = (LockNotAvailable, *REPEAT)
#: Most interactions that one statement removes (nobody appends meanwhile), and most events that one statement empties.
STEP, EMPTIED = 200, 1000


class ErasingStore(Appending, Suppressing):
    """The statements of the steps."""

    async def cancel_erased(self, erasure: Erasure) -> int:
        """Cancel the messages of a customer who is being erased; return how many are just being sent."""
        try:
            (row,) = await self._run("erase_cancel", _asked(erasure))
        except _BUSY:  # a rebuild beside it: look again
            return 1
        return int(row["leaving"])

    async def fence_erasure(self, erasure: Erasure, *, while_leaving: bool = True) -> bool:
        """Set the fence: from then on nobody finds the customer's handles, and none of their events can be appended. Return whether the
        fence is set. It is not if another process works on this erasure, if appends took too long to wait for, or, without
        `while_leaving`, if a message to the customer is just being sent. Raises Held, and Waits if another erasure of one of the
        handles is under way."""
        client = erasure["client_id"]
        secrets = (await self._secrets_of({client}))[client]
        try:
            async with self._pool.connection() as connection, connection.transaction():
                for name in ("erase_patience", "erase_lock", "writing"):
                    await connection.execute(statement(name))
                if not await _taken(connection, erasure["id"], "requested"):
                    return False
                # The customer came under a legal hold meanwhile: the erasure goes on when the hold ends.
                held = await (await connection.execute(statement("erase_held"), _asked(erasure))).fetchone()
                if held is not None:
                    raise Held(held["reason"], held["until"])
                other = _asked(erasure) | {"id": erasure["id"]}
                beside = await (await connection.execute(statement("erase_beside"), other)).fetchone()
                if beside is not None and beside["beside"]:
                    raise Waits("another erasure of the same address is under way")
                # Another message may have been accepted and claimed since `cancel_erased`; from here on this cannot happen.
                left = await (await connection.execute(statement("erase_cancel"), _asked(erasure))).fetchone()
                if not while_leaving and left is not None and left["leaving"]:
                    return False
                rows = await (await connection.execute(statement("erase_opted_out"), _asked(erasure))).fetchall()
                kept = list(chain.from_iterable(suppressions(client, rows, secrets)))
                if kept:
                    await connection.execute(statement("suppress"), to_suppress(client, kept))
                marked = _asked(erasure) | {"id": erasure["id"], "suppressed": len(kept)}
                found = await (await connection.execute(statement("erase_fence"), marked)).fetchone()
                assert found is not None
                before = await _rows_of(connection, erasure["id"])
                await connection.execute(statement("fence_handles"), {"id": erasure["id"]})
                await self._note(connection, "ErasureRequested", found)
                await _end(connection, erasure["id"], "fenced", before["rows"], before["providers"])
        except _BUSY:
            return False
        self.forget_handles(found["handles"])
        return True

    async def erased_values(self, erasure: Erasure) -> list[tuple[Owned, bytes]]:
        """Return the addresses of a fenced erasure, each with its digest for the ledger; none once they are destroyed."""
        client = erasure["client_id"]
        secrets = (await self._secrets_of({client}))[client]
        opened = [
            address_of(client, row, secrets.root) for row in await self._rows("erase_values", {"id": erasure["id"]})
        ]
        return [(owned, ledgered(owned, secrets.pepper)) for owned in opened]

    async def erase_dead_letters(self, id: UUID, letters: Sequence[UUID]) -> int:
        """Remove dead letters in which addresses of a fenced erasure were found; return how many."""
        (row,) = await self._run("erase_dead_letters", {"id": id, "ids": list(letters)})
        return int(row["letters"])

    async def end_step(self, id: UUID, state: str, next: str) -> bool:
        """Note that a step is done, if the step has nothing else to write."""
        return await self._step(id, state, next)

    async def destroy_erasure(self, erasure: Erasure) -> bool:
        """Destroy the keys and values of the handles."""
        done = await self._step(erasure["id"], "asked", "destroyed", "destroy_handles")
        self.forget_handles(erasure["handles"])
        return done

    async def purge_erasure(self, id: UUID, step: int = STEP) -> int | None:
        """Remove some of the rows that were projected from the handles' events; return how many interactions, 0 when nothing is left, and
        None if another process works on this erasure."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                # A process that appends either sees the removal, or was finished before it.
                for name in ("erase_patience", "erase_lock"):
                    await connection.execute(statement(name))
                if not await _taken(connection, id, "destroyed"):
                    return None
                given = {"id": id, "limit": step}
                row = await (await connection.execute(statement("erase_interactions"), given)).fetchone()
                assert row is not None
                return int(row["interactions"])
        except _BUSY:
            return None

    async def purged_erasure(self, id: UUID, step: int = EMPTIED) -> bool:
        """Empty the events of the interactions that were removed, and delete consents, zones, and the reasons of decisions. Return whether
        all is done; False also if another process works on this erasure."""
        while True:
            async with self._pool.connection() as connection, connection.transaction():
                if not await _taken(connection, id, "destroyed"):
                    return False
                row = await (await connection.execute(statement("empty_events"), {"id": id, "limit": step})).fetchone()
                assert row is not None
                if not row["events"]:
                    for name in ("erase_recipients", "erase_causes", "erase_troubles", "erase_answers"):
                        await connection.execute(statement(name), {"id": id})
                    await _end(connection, id, "purged")
                    return True

    async def erased_rows(self, id: UUID) -> dict[str, int]:
        """Return how many rows each store has of the customer of an erasure now."""
        row = await self._row("erase_rows", {"id": id})
        assert row is not None
        return dict(row["rows"])

    async def complete_erasure(self, erasure: Erasure, receipt: dict[str, Any], digest: str, actor: str) -> bool:
        """Keep the receipt, and append CustomerErased with its digest."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(statement("writing"))
            if not await _taken(connection, erasure["id"], "rewritten"):
                return False
            await self._note(connection, "CustomerErased", erasure, receiptSha256=digest)
            given = {"id": erasure["id"], "receipt": Jsonb(receipt), "digest": digest, "actor": actor}
            await connection.execute(statement("complete_erasure"), given)
            return True

    async def _step(self, id: UUID, state: str, next: str, *work: str) -> bool:
        """Run statements in a transaction that ends a step."""
        async with self._pool.connection() as connection, connection.transaction():
            if not await _taken(connection, id, state):
                return False
            for name in work:
                await connection.execute(statement(name), {"id": id})
            await _end(connection, id, next)
            return True

    async def _note(self, connection: Connection, type: str, erasure: Erasure, **more: str) -> None:
        """Append an event about an erasure: ids, and nothing about a person."""
        payload = {
            "customerId": str(erasure["customer_id"]),
            "erasureId": str(erasure["id"]),
            "handleIds": [str(handle) for handle in erasure["handles"]],
        }
        event = Event(type, OURS, f"{type} {erasure['id']}", payload=payload | more)
        rows: list[Row] = [(event, erasure["client_id"], datetime.now(UTC), None)]
        # These events have no handle and nothing personal, so nothing is looked up within the transaction.
        await self.write(connection, rows, await self._sealed(rows))


def _asked(erasure: Erasure) -> dict[str, Any]:
    """Return the parameters that say whose handles are meant, before the fence."""
    named = erasure["handles"] if erasure["repeats"] is not None else None
    whose = {"client_id": erasure["client_id"], "customer_id": erasure["customer_id"]}
    return whose | {"handles": named, "asked": erasure["assignments"], "asked_at": erasure["asked_at"]}


async def _taken(connection: Connection, id: UUID, state: str) -> bool:
    """Lock the erasure in this transaction; return whether it is in this state."""
    return await (await connection.execute(statement("erase_row"), {"id": id, "state": state})).fetchone() is not None


async def _rows_of(connection: Connection, id: UUID) -> dict[str, Any]:
    row = await (await connection.execute(statement("erase_rows"), {"id": id})).fetchone()
    assert row is not None
    return row


async def _end(
    connection: Connection,
    id: UUID,
    state: str,
    before: dict[str, int] | None = None,
    providers: list[str] | None = None,
) -> None:
    given = {"id": id, "state": state, "before": None if before is None else Jsonb(before), "providers": providers}
    await connection.execute(statement("erase_state"), given)
