"""Callbacks, their secrets, and the deliveries to them: waiting, claimed, settled. The audit log has all changes of callbacks.

A callback is a dict with `client_id`, `url`, `types`, `concurrency`, `created_at`, `failing_since`, `recovered_at`,
`disabled_at`, `disabled_reason`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from psycopg.types.json import Jsonb

from sql.opening import Opening
from sql.origin import noted, origin
from sql.parameters import json
from sql.pool import Connection
from sql.statements import statement

#: The reason if a callback is disabled because its client's configuration no longer has it.
REMOVED = "removed"
#: The actor in the audit log of changes that no person asked for.
WORKER = "worker"
#: Most deliveries that one call replays.
REPLAYED = 10_000
#: Failures in a row that count as an outage of the callback, not as an error of one event; and how many deliveries each
#: success after an outage makes due: the rate doubles with each answer, so the endpoint is not flooded.
OUTAGE, WOKEN = 3, 2
#: Most deliveries removed at once.
_FORGOTTEN = 5_000


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The outcome of one try of a delivery. `due_at`: as the claim gave it; `pause`: until the next try, None: no more."""

    event_id: UUID
    due_at: datetime
    delivered: bool
    status: int | None
    error: str | None
    pause: timedelta | None
    secret_version: int


class DeliveryStore(Opening):
    """The statements of callbacks and deliveries."""

    async def callback(self, client_id: str) -> dict[str, Any] | None:
        """Return a client's callback."""
        return await self._row("callback", {"client_id": client_id})

    async def callbacks(self) -> list[dict[str, Any]]:
        """Return all callbacks, each with the number of `waiting` deliveries."""
        return await self._rows("callbacks")

    async def set_callback(self, client_id: str, url: str, types: Sequence[str], concurrency: int) -> None:
        """Set a client's callback as configured. `types`: event types, none for all. Another URL resets its failures."""
        parameters = {
            "client_id": client_id,
            "url": url,
            "types": list(types),
            "concurrency": concurrency,
            "removed": REMOVED,
        }
        await self._run("set_callback", parameters)

    async def disable_callback(self, client_id: str, reason: str) -> bool:
        """Disable a callback; return False if it is disabled already, or there is none."""
        parameters = {"client_id": client_id, "reason": reason}
        async with self._transaction() as connection:
            disabled = (await connection.execute(statement("disable_callback"), parameters)).rowcount > 0
            if disabled:
                await _note(connection, client_id, WORKER, "callback.disabled", {"reason": reason})
        return disabled

    async def enable_callback(self, client_id: str, actor: str) -> int | None:
        """Enable a callback and make its waiting deliveries due; return how many, or None if there is no callback."""
        async with self._transaction() as connection:
            parameters = {"client_id": client_id, "removed": REMOVED}
            enabled = await connection.execute(statement("enable_callback"), parameters)
            if not enabled.rowcount:
                return None
            await connection.execute(statement("deliveries_lock"), parameters)
            waiting = (await connection.execute(statement("hasten"), parameters)).rowcount
            await _note(connection, client_id, actor, "callback.enabled", {"waiting": waiting})
            return waiting

    async def callback_secrets(self, client_id: str) -> list[tuple[int, bytes]]:
        """Return the secrets that sign now, encrypted, by version, the newest first."""
        rows = await self._rows("callback_secrets", {"client_id": client_id})
        return [(row["version"], row["sealed"]) for row in rows]

    async def sealed_secrets(self) -> list[dict[str, Any]]:
        """Return the secrets that sign now, of all callbacks that are not disabled: `client_id`, `version`, `sealed`."""
        return await self._rows("sealed_secrets")

    async def add_secret(
        self, client_id: str, sealed: bytes, grace: timedelta, actor: str, *, first: bool = False
    ) -> int | None:
        """Add a secret and return its version; older ones sign for another `grace`. `first`: only if no secret signs
        yet. Return None if it was not added, or if there is no callback."""
        client = {"client_id": client_id}
        async with self._transaction() as connection:
            if not await (await connection.execute(statement("callback_lock"), client)).fetchall():
                return None
            if first and await (await connection.execute(statement("callback_secrets"), client)).fetchall():
                return None
            await connection.execute(statement("forget_secrets"), client)
            await connection.execute(statement("retire_secrets"), client | {"grace": grace})
            added = await connection.execute(statement("add_secret"), client | {"sealed": sealed})
            row = await added.fetchone()
            assert row is not None
            await _note(connection, client_id, actor, "callback.secret", {"version": row["version"]})
            return int(row["version"])

    async def due_clients(self, limit: int, but: Sequence[str] = ()) -> list[str]:
        """Return at most `limit` clients with deliveries that may be due (a claim finds out), the longest waiting
        first, except `but`."""
        return [row["client_id"] for row in await self._rows("due_clients", {"limit": limit, "but": list(but)})]

    async def quiet_callback(self, client_id: str) -> None:
        """Leave a client whose callback is disabled out of `due_clients`."""
        await self._run_only("quiet_callback", {"client_id": client_id})

    async def claim_deliveries(self, client_id: str, limit: int, lease: timedelta) -> list[dict[str, Any]]:
        """Claim due deliveries for `lease`, of each message only the first that waits. Each delivery has `attempts` (including this
        attempt), `due_at` (when the lease ends) and the columns of its event; if the event cannot be opened, it has `closed`: True."""
        parameters = {"client_id": client_id, "limit": limit, "lease": lease}
        return await self._opened(await self._run("claim_deliveries", parameters), closed=True)

    async def settle_deliveries(
        self, client_id: str, url: str, outcomes: Sequence[DeliveryOutcome], *, gone: bool, patience: timedelta
    ) -> str | None:
        """Write the outcomes of tries at one URL. Return the reason if they disable the callback (`gone`, or `failing` for
        longer than `patience`), else None."""
        delivered = sum(outcome.delivered for outcome in outcomes)
        callback = {
            "client_id": client_id,
            "url": url,
            "delivered": delivered > 0,
            "failed": len(outcomes) - delivered,
            "outage": OUTAGE,
            "gone": gone,
            "patience": patience,
        }
        settled = {"client_id": client_id, "outcomes": json(orjson.dumps([_settled(outcome) for outcome in outcomes]))}
        async with self._transaction() as connection:
            row = await (await connection.execute(statement("callback_outcome"), callback, prepare=True)).fetchone()
            await connection.execute(statement("deliveries_lock"), callback, prepare=True)
            await connection.execute(statement("delivery_outcomes"), settled, prepare=True)
            if delivered:
                waking = {"client_id": client_id, "most": WOKEN * delivered}
                await connection.execute(statement("wake_deliveries"), waking, prepare=True)
            reason: str | None = row["disabled_reason"] if row else None
            if reason is not None:
                await _note(connection, client_id, WORKER, "callback.disabled", {"reason": reason, "url": url})
        return reason

    async def deliveries(self, client_id: str, state: str | None, limit: int) -> list[dict[str, Any]]:
        """Return the latest deliveries, of all states or one; columns as in `deliveries`, with the event's `type`."""
        return await self._rows("deliveries", {"client_id": client_id, "state": state, "limit": limit})

    async def replay_ids(self, client_id: str, ids: Sequence[UUID]) -> int:
        """Make deliveries wait again, by their events' ids; return how many there were."""
        return len(await self._replay("replay_ids", {"client_id": client_id, "ids": list(ids)}))

    async def replay_span(self, client_id: str, since: datetime, until: datetime) -> tuple[int, datetime | None]:
        """Make the oldest `REPLAYED` deliveries of events recorded in a span wait again; return how many, and the time from which
        to ask for the rest (None if none is left)."""
        span = {"client_id": client_id, "since": since, "until": until, "most": REPLAYED}
        (row,) = await self._replay("replay_span", span)
        return row["replayed"], row["next"]

    async def _replay(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        async with self._transaction() as connection:
            await connection.execute(statement("deliveries_lock"), parameters)
            rows = await (await connection.execute(statement(name), parameters)).fetchall()
            count = rows[0]["replayed"] if name == "replay_span" else len(rows)
            await _note(connection, parameters["client_id"], origin().actor, "callback.replay", {"deliveries": count})
            return rows

    async def forget_deliveries(self, age: timedelta) -> int:
        """Remove some deliveries of events older than `age`; return how many, 0 if none is left."""
        return len(await self._run("forget_deliveries", {"age": age, "limit": _FORGOTTEN}))


async def _note(connection: Connection, client_id: str, actor: str, action: str, detail: dict[str, Any]) -> None:
    entry = {"client_id": client_id, "actor": actor, "action": action, "detail": Jsonb(detail)}
    await connection.execute(statement("audit_callback"), entry | noted())


def _settled(outcome: DeliveryOutcome) -> tuple[Any, ...]:
    """Return the outcome as `delivery_outcomes` reads it."""
    waits = outcome.pause is not None
    return (
        outcome.event_id,
        outcome.due_at,
        "delivered" if outcome.delivered else "waiting" if waits else "failed",
        outcome.pause.total_seconds() if outcome.pause is not None else 0,
        outcome.status,
        outcome.error,
        outcome.secret_version,
    )
