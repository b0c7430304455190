"""`threadline gaps`, `threadline gaps acknowledge`: what was passed over, straight in the store."""

from typing import Any

from rich.console import Console

from app.commands.opened import actor, in_store
from app.commands.terminal import FAILED, add_row, minute, say, table
from sql import EventStore


def show(*, all: bool) -> int:
    """Print them, the latest first; 1 where one is not acknowledged."""

    async def look(store: EventStore) -> int:
        rows = await store.gaps(all=all)
        if not rows:
            print("No gap: nothing was deleted before it was read.")
            return 0
        listed = table("topic", "partition", "what", "found", "acknowledged", "by", whole="topic")
        for row in rows:
            acknowledged = minute(row["acknowledged_at"])
            add_row(
                listed,
                row["topic"],
                row["partition"],
                what(row),
                minute(row["found_at"]),
                acknowledged,
                row["acknowledged_by"],
            )
        Console().print(listed)
        return FAILED if any(row["acknowledged_at"] is None for row in rows) else 0

    return in_store(look)


def acknowledge(topic: str | None, partition: int | None, offset: int | None) -> int:
    """Acknowledge all, or those of a topic, a partition, an offset; 1 where there is none."""

    async def note(store: EventStore) -> int:
        rows = await store.acknowledge_gaps(actor(), topic, partition, offset)
        for row in rows:
            print(f"acknowledged: {row['topic']}-{row['partition']}, {what(row)}")
        return 0 if rows else say("There is no such gap that waits for it. All of them: threadline gaps --all", FAILED)

    return in_store(note)


def what(row: dict[str, Any]) -> str:
    """A gap in words: what is gone."""
    first, end = row["from_offset"], row["to_offset"]
    if end < first:
        return f"cut off at {end}, read up to {first}"
    return f"{end - first} records, offsets {first} to {end - 1}"
