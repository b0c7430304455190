"""What was passed over: offsets that Kafka deleted before they were read."""

from typing import Any

from sql.pool import Pooled


class Gaps(Pooled):
    """Gaps stand here once, until they are acknowledged."""

    async def add_gap(self, topic: str, partition: int, from_offset: int, to_offset: int) -> None:
        """Note that the offsets from the one to before the other are gone; with a `to_offset` before `from_offset`, that the
        log was cut off there."""
        parameters = {"topic": topic, "partition": partition, "from_offset": from_offset, "to_offset": to_offset}
        await self._run_only("add_gap", parameters)

    async def gaps(self, *, all: bool) -> list[dict[str, Any]]:
        """The latest 1,000 that nobody has acknowledged, or of all: `topic`, `partition`, `from_offset`, `to_offset`,
        `found_at`, `acknowledged_at`, `acknowledged_by`."""
        return await self._rows("gaps", {"all": all})

    async def acknowledge_gaps(
        self, actor: str, topic: str | None = None, partition: int | None = None, from_offset: int | None = None
    ) -> list[dict[str, Any]]:
        """Note that an operator has seen to them: all, or those of a topic, a partition, an offset. Returns them."""
        parameters = {"actor": actor, "topic": topic, "partition": partition, "from_offset": from_offset}
        return await self._run("acknowledge_gaps", parameters)
