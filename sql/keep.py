"""Stores raw webhooks' partitions, used tokens and API keys, and counts rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sql.blocks import PLACE, unpack
from sql.hours import HoursStore
from sql.origin import noted, origin
from sql.parties import parties_of
from sql.sealed_records import Destroyed


class Keeping(HoursStore):
    """Housekeeping: statements that neither append events nor read timelines."""

    async def ensure_partitions(self, days_ahead: int = 3) -> list[str]:
        """Create the missing partitions of raw webhooks for today and the days ahead; return their names. Webhooks of a
        day that had no partition are moved into it."""
        return [row["name"] for row in await self._rows("ensure_partitions", {"days_ahead": days_ahead})]

    async def ensure_event_partitions(self, months_ahead: int = 1) -> list[str]:
        """Create the missing partitions of the log for this month and the months ahead; return their names. Events of a month
        that had no partition are moved into it."""
        return [row["name"] for row in await self._rows("ensure_event_partitions", {"months_ahead": months_ahead})]

    async def unpartitioned(self) -> dict[str, int]:
        """Return for the tables `events` and `raw_webhooks` how many rows have no partition (counted up to 1,000): 0 as long as
        partitions are made in time."""
        row = await self._row("unpartitioned")
        assert row is not None
        return row

    async def drop_partitions(self, older_than_days: int) -> list[str]:
        """Drop the raw webhooks that are older than this many days (at least one); return the names of the partitions."""
        return [row["name"] for row in await self._rows("drop_partitions", {"older_than_days": older_than_days})]

    async def use_tokens(self, uses: Sequence[tuple[str, bytes, bytes, datetime]]) -> list[int]:
        """Store used tokens: (source, token, digest of the request, expiry of the signature). Return the indexes of
        those that were used before with another digest, by any process."""
        sources, tokens, digests, untils = (list(each) for each in zip(*uses, strict=True))
        parameters = {"sources": sources, "tokens": tokens, "digests": digests, "untils": untils}
        return [row["place"] - 1 for row in await self._run("use_tokens", parameters)]

    async def forget_tokens(self, limit: int = 1000) -> int:
        """Remove at most `limit` tokens with expired signatures; return how many."""
        return len(await self._run("forget_tokens", {"limit": limit}))

    async def read_raw(self, block: int, webhook_id: UUID | str | None = None) -> list[bytes]:
        """Return the records of a block (an event's `webhook_block`), byte for byte; with `webhook_id`, those whose
        first line contains it. Empty if the block was dropped, or its key destroyed. Raises sql.sealed_records.UnknownKey,
        sql.sealing.NoKey or Tampered if the block cannot be opened."""
        row = await self._row("raw_block", {"block": block})
        if row is None:
            return []
        await self.keys_for([row["body"]])
        try:
            records = list(unpack(self.hours.open(row["body"], PLACE)))
        except Destroyed:
            return []
        if webhook_id is None:
            return records
        wanted = str(webhook_id).encode()
        return [record for record in records if wanted in record.partition(b"\n")[0]]

    async def create_api_key(
        self,
        id: UUID,
        name: str,
        client_id: str,
        scopes: Sequence[str],
        hash: bytes,
        expires_at: datetime | None = None,
        roles: Sequence[str] = (),
        networks: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Add a key, made by the person who acts (`sql.origin`), and return its row, without the hash. Raises psycopg.IntegrityError if the id is taken."""
        parameters = {
            "id": id,
            "name": name,
            "client_id": client_id,
            "scopes": list(scopes),
            "hash": hash,
            "expires_at": expires_at,
            "roles": list(roles),
            "networks": list(networks),
            "makers": parties_of(origin()),
        }
        (row,) = await self._run("create_api_key", parameters | noted())
        return row

    async def api_key(self, id: UUID) -> dict[str, Any] | None:
        """Return a key (`id`, `name`, `client_id`, `scopes`, `roles`, `networks`, `makers`, `hash`, `created_at`, `revoked_at`,
        `expires_at`), even if it is revoked or expired; None if there is none."""
        return await self._row("api_key", {"id": id})

    async def api_keys(self) -> list[dict[str, Any]]:
        """Return all keys, oldest first, without their hashes."""
        return await self._rows("api_keys")

    async def used_api_keys(self, used: Mapping[UUID, datetime]) -> None:
        """Store when keys were last used."""
        if used:
            await self._run_only("used_api_keys", {"ids": list(used), "times": list(used.values())})

    async def rotate_api_key(self, old: UUID, id: UUID, hash: bytes, grace: timedelta) -> dict[str, Any] | None:
        """Add a key that replaces a valid one, which ends after the grace. Return `name`, `client_id`, `expires_at` and
        `old_expires_at`; None if there is no such key, or it was revoked, expired or replaced."""
        given = {"old": old, "id": id, "hash": hash, "grace": grace, "makers": parties_of(origin())}
        rows = await self._run("rotate_api_key", given | noted())
        return rows[0] if rows else None

    async def revoke_api_key(self, id: UUID) -> bool:
        """Revoke a key; False if there is none. Revoking again does not change the time."""
        return bool(await self._run("revoke_api_key", {"id": id} | noted()))

    async def counts(self) -> dict[str, Any]:
        """Return `events`, `interactions` and `handles` (estimates), `dead_letters`, `first_day` and `last_day` of raw
        partitions, `unpartitioned_blocks` and `unpartitioned_events` (0 as long as partitions are created in time), `database_bytes`."""
        row = await self._row("counts")
        assert row is not None
        return row
