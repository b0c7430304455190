"""Dead letters as tests look at them."""

from typing import Any

from sql import EventStore


async def whole_letters(store: EventStore) -> list[dict[str, Any]]:
    """All dead letters with their records, newest first."""
    rows = [await store.dead_letter(row["id"]) for row in await store.dead_letters()]
    return [row for row in rows if row is not None]
