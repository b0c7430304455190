"""`threadline timeline CUSTOMER`: one customer's timeline, straight from the store."""

import asyncio
from typing import Any
from uuid import UUID

import orjson
from rich.console import Console

from app.api.bodies import interaction, write
from app.commands.acting import client_of
from app.commands.opened import opened
from app.commands.table import timeline_table
from app.commands.terminal import FAILED, MISUSED, say
from schemas.handles import handle_of
from sql import EventStore


def run(customer: str, *, limit: int, client: str | None) -> int:
    """Print it, newest first; 1 where the customer is not known, 2 where the text names none."""
    return asyncio.run(_run(customer, limit, client))


async def _run(customer: str, limit: int, given: str | None) -> int:
    async with opened() as store:
        client = await client_of(store, given)
        try:
            handles = await _handles(store, client, customer)
        except ValueError as error:
            return say(f"{customer!r} names no customer: {error}.", MISUSED)
        if not handles:
            return say(f"Client {client} has no customer {customer}.", FAILED)
        id = handles[0]["customer_id"]
        rows = await store.timeline(client, id, limit=limit + 1)
        told = orjson.loads(write([interaction(row) for row in rows[:limit]]))
    Console().print(timeline_table(str(id), handles, told))
    if len(rows) > limit:
        return say(f"The {limit} newest; --limit shows more.", 0)
    return 0


async def _handles(store: EventStore, client: str, customer: str) -> list[dict[str, Any]]:
    """The handles of the customer whose id or handle the text is; none where there is none. Raises ValueError."""
    try:
        id = UUID(customer)
    except ValueError:
        handle = handle_of(customer)
        return await store.customer_of(client, handle.kind, handle.value)
    return await store.handles(client, id)
