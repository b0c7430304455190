"""Keeping house: raw webhooks and their partitions, dead letters, API keys, counts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sql.blocks import unpack
from sql.pool import Pooled


class Keeping(Pooled):
    """What neither appends nor reads timelines."""

    async def ensure_partitions(self, days_ahead: int = 3) -> list[str]:
        """Make the day partitions of raw webhooks for today and the days ahead that are missing; returns their names.
        What came on a day that had none is moved into it."""
        return [row["name"] for row in await self._rows("ensure_partitions", {"days_ahead": days_ahead})]

    async def drop_partitions(self, older_than_days: int) -> list[str]:
        """Drop the raw webhooks of days more than so many (at least one) ago; returns the names of the partitions."""
        return [row["name"] for row in await self._rows("drop_partitions", {"older_than_days": older_than_days})]

    async def use_tokens(self, uses: Sequence[tuple[str, bytes, bytes, datetime]]) -> list[int]:
        """Write down tokens of sources: (source, token, digest of what it came with, until when its signature holds).
        Returns the indexes of those that came before with another digest: of one token the first counts, for ever as
        long as it is remembered, whatever process wrote it."""
        sources, tokens, digests, untils = (list(each) for each in zip(*uses, strict=True))
        parameters = {"sources": sources, "tokens": tokens, "digests": digests, "untils": untils}
        return [row["place"] - 1 for row in await self._run("use_tokens", parameters)]

    async def forget_tokens(self, limit: int = 1000) -> int:
        """Remove some tokens whose signatures have expired; returns how many."""
        return len(await self._run("forget_tokens", {"limit": limit}))

    async def read_raw(self, block: int, webhook_id: UUID | str | None = None) -> list[bytes]:
        """The records of a block (an event's `webhook_block`), as they came; with `webhook_id`, those whose first line
        names it. Empty where they were dropped."""
        row = await self._row("raw_block", {"block": block})
        records = list(unpack(row["body"])) if row else []
        if webhook_id is None:
            return records
        wanted = str(webhook_id).encode()
        return [record for record in records if wanted in record.partition(b"\n")[0]]

    async def dead_letters(self, limit: int = 100) -> list[dict[str, Any]]:
        """The latest dead letters, newest first; columns as in `dead_letters`."""
        return await self._rows("dead_letters", {"limit": limit})

    async def create_api_key(
        self, id: UUID, name: str, client_id: str, scopes: Sequence[str], hash: bytes
    ) -> dict[str, Any]:
        """Add a key and return its row, without the hash. Raises psycopg.IntegrityError where the id is taken."""
        parameters = {"id": id, "name": name, "client_id": client_id, "scopes": list(scopes), "hash": hash}
        (row,) = await self._run("create_api_key", parameters)
        return row

    async def api_key(self, id: UUID) -> dict[str, Any] | None:
        """A key (`id`, `name`, `client_id`, `scopes`, `hash`, `created_at`, `revoked_at`), revoked or not."""
        return await self._row("api_key", {"id": id})

    async def api_keys(self) -> list[dict[str, Any]]:
        """All keys, oldest first, without their hashes."""
        return await self._rows("api_keys")

    async def revoke_api_key(self, id: UUID) -> bool:
        """Revoke a key; False where there is none. One that is revoked stays so from the first time."""
        return bool(await self._rows("revoke_api_key", {"id": id}))

    async def counts(self) -> dict[str, Any]:
        """`events`, `interactions` and `handles` (estimates), `dead_letters`, `first_day` and `last_day` of raw
        partitions, `unpartitioned_blocks` (0 while partitions are made in time), `database_bytes`."""
        row = await self._row("counts")
        assert row is not None
        return row
