"""`threadline timeline CUSTOMER`: print one customer's timeline, from the database."""

import asyncio
from inspect import cleandoc
from typing import Annotated
from uuid import UUID

import orjson
import typer
from rich.console import Console

from app.api.bodies import interaction, write
from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import note, opened
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.cli.support.timeline_table import timeline_table
from schemas.events import Handle
from schemas.typed_handles import EXAMPLES, searched, typed


def timeline(
    customer: Annotated[
        str, typer.Argument(help="A customer's id, or a handle: +15551234567, ana@example.com, user_id:42.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=200, help="The number of interactions, newest first.")] = 50,
    client: Annotated[
        str | None,
        typer.Option(help="The client id of the customer; by default that of THREADLINE_API_KEY, else default."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print one customer's timeline.

    A word that is no address is read as a user id. Exit code 1 where no customer is known by it, 2 where it is a
    malformed address or an incomplete phone number.
    """
    return asyncio.run(_run(customer, limit, client, as_json))


#: The kinds of a handle are listed in the help, in lines of their own.
timeline.__doc__ = "\n".join(
    (
        f"{cleandoc(timeline.__doc__ or '')}\n\nA handle is typed as it is printed:\n",
        *(f"  {example:<41} {what}" for example, what in EXAMPLES.values()),
    )
)


async def _run(customer: str, limit: int, given: str | None, as_json: bool) -> int:
    try:
        wanted = _wanted(customer)
    except ValueError as error:
        return print_error(f"{customer!r} names no customer: {error}.", MISUSED)
    async with opened() as store:
        client = await client_of(store, given)
        if isinstance(wanted, UUID):
            handles, words = await store.handles(client, wanted), f"id {wanted}"
        else:
            handles = await store.customer_of(client, wanted.kind, wanted.value)
            words = f"handle {typed(wanted.kind, wanted.value)}"
        if not handles:
            return print_error(f"Client {client} has no customer with the {words}.")
        id = handles[0]["customer_id"]
        await note(store, "timeline.read", client, str(id))
        rows = await store.timeline(client, id, limit=limit + 1)
        interactions = orjson.loads(write([interaction(row) for row in rows[:limit]]))
    if as_json:
        known = [{"kind": handle["kind"], "value": handle["value"]} for handle in handles]
        return print_json({"customerId": id, "handles": known, "interactions": interactions})
    console = Console()
    console.print(timeline_table(str(id), handles, interactions, width=console.width))
    if len(rows) > limit:
        return print_note(f"The {limit} newest; --limit shows more.")
    return 0 if rows else print_note("This customer has no interactions.")


def _wanted(customer: str) -> UUID | Handle:
    """Return the argument as a customer's id, or else as a handle. Raises ValueError for neither."""
    try:
        return UUID(customer)
    except ValueError:
        return searched(customer)
