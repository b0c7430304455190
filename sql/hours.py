"""Reads and writes the table of the keys of raw records (`sql.hour_keys`)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sql.hour_keys import AHEAD, Row, context
from sql.pool import Connection, Pooled
from sql.statements import statement

#: Keys that one statement encrypts anew, or destroys.
STEP = 500
#: Times that a process looks again for the keys that others write at the same moment.
TRIES = 5
_FIRST = UUID(int=0)


class HoursStore(Pooled):
    """The keys of raw records. Its methods raise sql.sealing.NoKey if no key of the settings decrypts one of them, and Tampered if one
    was changed."""

    async def keys_ahead(self) -> None:
        """Take the keys of this hour and of those after it, and make those that are missing."""
        rows: list[Row] = []
        for _ in range(TRIES):
            ids, purposes, hours, sealed = (list(each) for each in zip(*rows, strict=True)) if rows else ([],) * 4
            given = {"ids": ids, "purposes": purposes, "hours": hours, "sealed": sealed, "of": list(AHEAD)}
            found = await self._run("hour_keys_ahead", given)
            rows = self.hours.take_ahead((row for row in found if row["id"] is not None), found[0]["now"])
            if not rows:
                return

    async def keys_ready(self, *purposes: str) -> None:
        """Return when the keys of this hour are there."""
        if not all([self.hours.has(purpose) for purpose in purposes]):
            await self.keys_ahead()

    async def keys_for(self, records: Iterable[bytes | None], connection: Connection | None = None) -> None:
        """Take the keys that these records need, by one query for those that are not in memory. `connection`: a connection that the caller
        already holds, as the pool may have no other."""
        if not (ids := self.hours.unknown(records)):
            return
        if connection is None:
            self.hours.take(await self._rows("hour_keys_by_id", {"ids": ids}))
            return
        cursor = await connection.execute(statement("hour_keys_by_id"), {"ids": ids}, prepare=True)
        self.hours.take(await cursor.fetchall())

    async def need_hour_keys(self, since: datetime) -> None:
        """Note that webhooks since a time are not on Kafka yet, so that their keys are kept as if the webhooks had come now."""
        await self._run_only("need_hour_keys", {"since": since})

    async def hour_keys_by_key(self) -> list[dict[str, Any]]:
        """Return how many keys (`keys`) are encrypted by each key of the settings (`key_id`)."""
        return await self._rows("hour_keys_by_key")

    async def reseal_hour_keys(self, progress: Callable[[int], object] | None = None) -> int:
        """Encrypt the keys with the first key of the settings, in steps, so that an interrupted call keeps its progress. Return how many
        were encrypted with another key before. `progress` gets how many were looked at so far."""
        done, seen, after = 0, 0, _FIRST
        while rows := await self._rows("hour_keys_sealed", {"after": after, "limit": STEP}):
            again = [(row, self._seal.renewed(row["sealed"], _context(row))) for row in rows]
            changed = [(row["id"], row["sealed"], each) for row, each in again if each is not None]
            if changed:
                ids, sealed, new = (list(each) for each in zip(*changed, strict=True))
                done += len(await self._run("reseal_hour_keys", {"ids": ids, "sealed": sealed, "again": new}))
            seen, after = seen + len(rows), rows[-1]["id"]
            if progress is not None:
                progress(seen)
        return done

    async def destroy_hour_keys(self, ages: Mapping[str, timedelta | None], limit: int = STEP) -> list[str]:
        """Destroy at most `limit` keys whose records' retention has ended; return the purpose of each. `ages`: how long after its hour a
        purpose's key is needed; None: for ever."""
        ends = {purpose: age for purpose, age in ages.items() if age is not None}
        given = {"purposes": list(ends), "ages": list(ends.values()), "limit": limit}
        return [row["purpose"] for row in await self._run("destroy_hour_keys", given)]


def _context(row: Mapping[str, Any]) -> str:
    return context(row["id"], row["purpose"], row["hour"])
