"""Stores gaps: ranges of offsets that Kafka deleted before they were read."""

from typing import Any

from sql.pool import Pooled


class GapsStore(Pooled):
    """Gaps, each kept once, open until an operator acknowledges it."""

    async def add_gap(self, topic: str, partition: int, from_offset: int, to_offset: int) -> None:
        """Record that the offsets from `from_offset` up to, but without, `to_offset` are gone. A `to_offset` below
        `from_offset` means that the partition was truncated there."""
        parameters = {"topic": topic, "partition": partition, "from_offset": from_offset, "to_offset": to_offset}
        await self._run_only("add_gap", parameters)

    async def gaps(self, *, all: bool) -> list[dict[str, Any]]:
        """Return the latest 1,000 open gaps, or of `all` gaps: `topic`, `partition`, `from_offset`, `to_offset`,
        `found_at`, `acknowledged_at`, `acknowledged_by`."""
        return await self._rows("gaps", {"all": all})

    async def acknowledge_gaps(
        self, actor: str, topic: str | None = None, partition: int | None = None, from_offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Acknowledge gaps in the name of `actor`: all, or those of a topic, a partition, an offset. Return them."""
        parameters = {"actor": actor, "topic": topic, "partition": partition, "from_offset": from_offset}
        return await self._run("acknowledge_gaps", parameters)
