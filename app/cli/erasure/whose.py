"""The customer that a command is about, and its client."""

from typing import Annotated
from uuid import UUID

import typer

from app.cli.support.client import client_of
from schemas.typed_handles import searched
from sql import EventStore

Customer = Annotated[
    str, typer.Argument(metavar="ID", help="A customer's id, or a handle: +15551234567, ana@example.com, user_id:42.")
]
Client = Annotated[
    str | None,
    typer.Option(help="The client id of the customer; by default that of THREADLINE_API_KEY, else default."),
]
#: Characters of a reason.
MOST = 500
Reason = Annotated[str, typer.Option("--reason", help="Why, in one line, without names or addresses; it is kept.")]


class NoCustomer(Exception):
    """There is no such customer; the message is for people."""


def sound(reason: str) -> bool:
    """Return whether a reason can be kept."""
    return bool(reason.strip()) and len(reason) <= MOST and reason.isprintable()


async def whose(store: EventStore, text: str, given: str | None) -> tuple[str, UUID]:
    """Return the client and the customer's present id. Raises NoCustomer."""
    client = await client_of(store, given)
    try:
        rows = await store.handles(client, UUID(text))
    except ValueError:
        try:
            handle = searched(text)
        except ValueError as error:
            raise NoCustomer(f"{text!r} names no customer: {error}.") from error
        rows = await store.customer_of(client, handle.kind, handle.value)
    if not rows:
        raise NoCustomer(f"Client {client} has no such customer.")
    return client, rows[0]["customer_id"]
