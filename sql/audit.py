"""Writes and reads the audit: its entries, the batches in which they are sealed, and when the batches were anchored elsewhere."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sql.audit_chain import NOTHING, head_of, leaf_of, root_of
from sql.audited import Entry
from sql.parameters import json
from sql.pool import Connection, Pooled
from sql.statements import statement

#: Most entries of a batch.
BATCH = 1000
#: Batches that one read returns: each has up to 32 KB of hashes.
HEADS = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Head = dict[str, Any]


def micros_of(at: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


class AuditStore(Pooled):
    """The statements of the audit. Statements that change something write its entry themselves."""

    async def audit(self, client_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the changes of a client's configuration, accounts, callback and messages, newest first: `position`, `at`, `actor`, `action`, `subject`, `detail`."""
        return await self._rows("audit", {"client_id": client_id, "limit": limit})

    async def record_audit(self, entries: Sequence[Entry]) -> None:
        """Add entries, in one statement."""
        await self._run_only("record_audit", {"entries": json(orjson.dumps(list(entries)))})

    async def audit_listed(
        self,
        *,
        client_id: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Return the entries that match, newest first, of positions below `before`; None matches all."""
        wanted = {"client_id": client_id, "action": action, "since": since, "until": until}
        return await self._rows("audit_listed", wanted | {"before": before, "limit": limit})

    async def audit_page(
        self, client_id: str, wanted: Mapping[str, Any], before: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return the entries of a client that match, newest first, of positions below `before`. `wanted`: actor, action, subject, since,
        until."""
        return await self._rows("audit_page", {**wanted, "client_id": client_id, "before": before, "limit": limit})

    async def audit_exported(self, wanted: Mapping[str, Any], after: int, limit: int = 1000) -> list[dict[str, Any]]:
        """Return the entries that match, oldest first, of positions above `after`. `wanted`: client_id, action, since, until."""
        return await self._rows("audit_exported", {**wanted, "after": after, "limit": limit})

    async def seal_audit(self, waits: timedelta) -> int:
        """Seal the entries that are in no batch as the next batch, if there are `BATCH` of them or the first has waited for `waits`.
        Return how many were sealed; 0 also while another process seals."""
        async with self._alone() as (connection, at):
            if at is None:
                return 0
            # Asked first: most looks find that it is too early, and need not fetch the entries.
            asked = await connection.execute(statement("audit_due"), {"limit": BATCH, "waits": waits})
            if not (due := await asked.fetchone()) or not due["due"]:
                return 0
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement("audit_unsealed"), {"limit": BATCH})
            rows = await cursor.fetchall()
            await connection.execute(statement("add_audit_head"), _next(await _last(connection), rows, at))
            return len(rows)

    async def audit_head(self) -> Head | None:
        """Return the last batch: `batch`, `head`, `entries`, `total`, `upto`, `sealed_at`; None before the first."""
        return await self._row("audit_last_head")

    async def audit_heads(self, after: int, limit: int = HEADS) -> list[Head]:
        """Return the batches after one, in order, each with the positions of its entries (`expected`)."""
        return await self._rows("audit_heads", {"after": after, "limit": limit})

    async def audit_of_batch(
        self, after: int, upto: int, more: Sequence[int] = (), past: int = 0, limit: int = BATCH
    ) -> list[dict[str, Any]]:
        """Return the first `limit` entries behind the position `past`, as they are hashed: the entries at positions above `after` up to
        `upto`, and at the positions `more`."""
        parameters = {"after": after, "upto": upto, "more": list(more), "past": past, "limit": limit}
        return await self._rows("audit_of_batch", parameters)

    async def audit_unsealed(self, limit: int = BATCH) -> list[dict[str, Any]]:
        """Return the first entries that are in no batch."""
        return await self._rows("audit_unsealed", {"limit": limit})

    async def audit_anchored(self, after: int, upto: int) -> list[dict[str, Any]]:
        """Return the noted anchors of the batches after `after`, up to `upto`: `batch`, `head`, and `at`, the first time."""
        return await self._rows("audit_anchored", {"after": after, "upto": upto})

    async def anchor_audit(
        self, sink: str, every: timedelta, take: Callable[[Head, datetime], Awaitable[None]]
    ) -> bool:
        """Give the last batch and the time to `take`, and note that, if the sink has taken no anchor for the given time. Return whether
        it did; False also while another process seals or anchors. Raises what `take` raises."""
        async with self._alone() as (connection, at):
            if at is None:
                return False
            due = await (
                await connection.execute(statement("audit_anchor_due"), {"sink": sink, "every": every})
            ).fetchone()
            head = await _last(connection)
            if head is None or due is None or not due["due"]:
                return False
            await take(head, at)
            noted = {"sink": sink, "batch": head["batch"], "head": head["head"]}
            await connection.execute(statement("add_audit_anchor"), noted)
            return True

    async def audit_state(self, sinks: Sequence[str]) -> tuple[float, dict[str, float]]:
        """Return the seconds that the oldest entry behind the last batch has waited; and for each sink that ever took an anchor, the
        seconds since it last did."""
        row = await self._row("audit_state", {"sinks": list(sinks)})
        assert row is not None
        return float(row["unsealed"]), {name: float(age) for name, age in row["anchored"].items()}

    async def forget_audit(self, days: int, limit: int = 100) -> tuple[int, int]:
        """Remove the entries of at most `limit` of the oldest batches that were sealed more than `days` ago (at least 30); return
        how many batches and entries."""
        row = await self._row("forget_audit", {"days": days, "limit": limit})
        assert row is not None
        return int(row["batches"]), int(row["entries"])

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[tuple[Connection, datetime | None]]:
        """Give a connection in a transaction that has the audit's lock, and the database's time; None while another process has the lock."""
        async with self._pool.connection() as connection, connection.transaction():
            row = await (await connection.execute(statement("audit_lock"))).fetchone()
            assert row is not None
            yield connection, row["at"] if row["free"] else None


async def _last(connection: Connection) -> Head | None:
    return await (await connection.execute(statement("audit_last_head"))).fetchone()


def _next(last: Head | None, rows: Sequence[dict[str, Any]], at: datetime) -> dict[str, Any]:
    """Return the batch of these entries after the last one, as the parameters of `add_audit_head.sql`."""
    leaves = [leaf_of(row) for row in rows]
    hashed = {
        "previous": bytes(last["head"]) if last else NOTHING,
        "batch": last["batch"] + 1 if last else 1,
        "root": root_of(leaves),
        "entries": len(rows),
        "first_position": rows[0]["position"],
        "last_position": rows[-1]["position"],
    }
    fresh = [row["position"] for row in rows if not row["late"]]
    after = last["upto"] if last else 0
    return hashed | {
        "head": head_of(**hashed, micros=micros_of(at)),
        "total": (last["total"] if last else 0) + len(rows),
        "sealed_at": at,
        "after": after,
        "upto": fresh[-1] if fresh else after,
        "leaves": b"".join(leaves),
        "fresh": fresh,
        "late": [row["position"] for row in rows if row["late"]],
    }
