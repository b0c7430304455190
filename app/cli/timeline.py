"""`threadline timeline CUSTOMER`: print one customer's timeline, from the database."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.console import Console

from app.api.bodies import interaction, write
from app.cli.support.client import client_of
from app.cli.support.store import opened
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.cli.support.timeline_table import timeline_table
from schemas.handles import handle_of
from sql import EventStore


def timeline(
    customer: Annotated[
        str, typer.Argument(help="A customer's id, or a handle: +15551234567, ana@example.com, user_id:42.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=200, help="The number of interactions, newest first.")] = 50,
    client: Annotated[
        str | None,
        typer.Option(help="The client id of the customer; by default that of THREADLINE_API_KEY, else default."),
    ] = None,
) -> int:
    """Print one customer's timeline.

    A word that is no address is read as a user id. Exit code 1 where no customer is known by it, 2 where it is a
    malformed address.
    """
    return asyncio.run(_run(customer, limit, client))


async def _run(customer: str, limit: int, given: str | None) -> int:
    async with opened() as store:
        client = await client_of(store, given)
        try:
            handles = await _handles(store, client, customer)
        except ValueError as error:
            return print_error(f"{customer!r} names no customer: {error}.", MISUSED)
        if not handles:
            return print_error(f"Client {client} has no customer {_read_as(customer)}.")
        id = handles[0]["customer_id"]
        rows = await store.timeline(client, id, limit=limit + 1)
        interactions = orjson.loads(write([interaction(row) for row in rows[:limit]]))
    Console().print(timeline_table(str(id), handles, interactions))
    if len(rows) > limit:
        return print_note(f"The {limit} newest; --limit shows more.")
    return 0


def _read_as(customer: str) -> str:
    """Return in words how the argument was read: as a customer's id, or as a handle of a kind."""
    try:
        return f"with the id {UUID(customer)}"
    except ValueError:
        handle = handle_of(customer)
        return f"with the {handle.kind.replace('_', ' ')} {handle.value}"


async def _handles(store: EventStore, client: str, customer: str) -> list[dict[str, Any]]:
    """Return the handles of the customer with this id or handle; none for an unknown one. Raises ValueError for neither."""
    try:
        id = UUID(customer)
    except ValueError:
        handle = handle_of(customer)
        return await store.customer_of(client, handle.kind, handle.value)
    return await store.handles(client, id)
