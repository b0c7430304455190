"""Says how the rows of each table end, and removes those whose time has passed, in small steps."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from sql.channel_retention import remove_by_channel
from sql.pool import Connection, Pooled
from sql.statements import statement

#: Most rows of a store that one statement removes, seconds between two statements, and most due rows that are counted.
STEP, PAUSE, COUNTED = 1000, 0.1, 10_000


class Store(NamedTuple):
    """Rows that end together: the statement that removes some, and the tables from which it does."""

    removal: str
    tables: tuple[str, ...]


#: The stores whose rows `remove_expired` removes. A store is named as its setting in the section `retention`, and as the first
#: of its tables; `queries/expiring.sql` says which of its rows are due.
STORES = {
    "messages": Store("remove_messages", ("messages", "attempts", "message_keys")),
    "idempotency_keys": Store("remove_idempotency_keys", ("idempotency_keys", "message_keys")),
    "dead_letters": Store("remove_dead_letters", ("dead_letters",)),
    "audit": Store("remove_audit", ("audit",)),
    "gaps": Store("remove_gaps", ("gaps",)),
}
#: Tables whose rows are removed by something else, with its name.
ENDED_ELSEWHERE = {
    "events": "the log: whole months are archived with `threadline archive`",
    "raw_webhooks": "whole days are dropped: worker.retain_raw_days",
    "interactions": "a client's retention of their channel, if it has one: sql.channel_retention",
    "interaction_links": "with their interactions",
    "deliveries": "callbacks.retain_days",
    "used_tokens": "removed when their signature has expired",
    "callback_secrets": "expired ones are removed when another is made",
    "accounts": "removed with `threadline clients accounts`",
    "sessions": "some that ended are removed when another starts",
    "lanes_due": "hints, removed when they are looked at",
    "clients_due": "hints, removed when they are looked at",
}
#: Tables whose rows do not end, and why.
WITHOUT_END = {
    "event_ids": "what makes twice once, without a time window",
    "archive_files": "a row a file of the archive",
    "handles": "the key of addresses to the log; an erased one keeps its random id alone",
    "assignments": "computed from the log",
    "customer_changes": "computed from the log",
    "peppers": "one row a client",
    "handle_links": "computed from the log",
    "consents": "an opt-out must outlive everything",
    "consent_times": "a row an opt-out or opt-in, of which consents are computed",
    "profiles": "one row a recipient with a zone",
    "lanes": "one row an account that sends",
    "clients": "the versions of configurations: few, and each may be asked for",
    "account_changes": "one row an account, changed in place",
    "callbacks": "one row a client",
    "api_keys": "a revoked key stays in the list, as what it did stays in the audit",
    "relay_cursor": "one row",
    "retention_run": "one row",
    "hour_keys": "a key is destroyed with its purpose's retention (docs/keys.md); that it was stays, 50,000 rows a year",
    "audit_heads": "the chain of the audit is checked by them, also behind entries that were removed",
    "audit_anchors": "four rows an hour and kind of anchor",
    "erasures": "one row an erasure: the proof that it was done",
    "erasure_requests": "one row an erasure that waited for a second person: who asked and who decided",
    "erased_references": "late reports on what was removed must be known as such",
    "provider_erasures": "removed when the receipt of their erasure is made",
    "erased_parts": "removed when the receipt of their erasure is made",
    "erased_files": "a row a file of the archive and erasure: how far it is, and what the receipt counts",
    "archive_removals": "what is listed is removed by the next erasure",
    "erased_intervals": "whose an address was must stay forgotten",
    "suppressions": "an opt-out must outlive everything",
    "customer_holds": "one row a customer under a legal hold",
    "migrations": "one row a migration",
}

#: Ages by store; None: its rows are kept for ever.
Ages = Mapping[str, timedelta | None]


class RetentionStore(Pooled):
    """Removal of rows whose time has passed."""

    async def expiring(self, ages: Ages) -> list[dict[str, Any]]:
        """Return for each store its name (`store`), the time from which the age of its oldest row counts (`oldest`, None without a row),
        and how many rows are `due` (counted up to COUNTED). Rows that must stay at any age are left out."""
        return await self._rows("expiring", {**ages, "most": COUNTED})

    async def expiring_channels(self, most: int = COUNTED) -> list[dict[str, Any]]:
        """Return for each channel of a client that has a retention: `client_id`, `channel` ('' for interactions of unknown channel), `days`,
        the time of the `oldest` interaction that may be removed (None without one), and how many interactions, and events that belong to
        none, are `due` (each counted up to `most`)."""
        return await self._rows("expiring_channels", {"most": most})

    async def retention_finished(self) -> tuple[datetime, datetime]:
        """Return when a removal last finished (at first: when the database was migrated), and the database's time now."""
        row = await self._row("retention_finished")
        assert row is not None
        return row["finished_at"], row["now"]

    async def remove_expired(
        self, ages: Ages, removed: Callable[[str, int], None], *, step: int = STEP, pause: float = PAUSE
    ) -> bool:
        """Remove all rows that are due, and interactions that clients' retention by channel ends (`sql.channel_retention`): `step` rows of
        a store in each statement, with `pause` seconds between two. Each statement is a transaction of its own, so that the removal can be
        ended at any time and the next one goes on. `removed` gets a table and how many of its rows one statement removed. Returns False,
        without removing anything, while another process is removing."""
        async with self._sessions.connection() as connection:
            found = await (await connection.execute(statement("retention_lock"))).fetchone()
            if found is None or not found["mine"]:
                return False
            try:
                for store, age in ages.items():
                    if age is not None:
                        await _remove(connection, store, {"age": age, "limit": step}, removed, pause)
                await remove_by_channel(connection, removed, step, pause)
                await connection.execute(statement("retention_finish"))
            finally:
                try:
                    await connection.execute(statement("retention_unlock"))
                except psycopg.Error:  # the server is away; the error that ended the removal is raised, not this one
                    await connection.close()  # which releases the lock too
                except BaseException:
                    await connection.close()
                    raise
        return True


async def _remove(
    connection: Connection,
    store: str,
    parameters: Mapping[str, Any],
    removed: Callable[[str, int], None],
    pause: float,
) -> None:
    """Remove the rows of a store that are due, as `remove_expired` does."""
    while True:
        cursor = await connection.execute(statement(STORES[store].removal), parameters, prepare=True)
        counts = await cursor.fetchone()
        assert counts is not None
        for table, rows in counts.items():
            if rows:
                removed(table, rows)
        if counts[store] < parameters["limit"]:
            return
        await asyncio.sleep(pause)
