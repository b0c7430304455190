"""Finds the customers that a command names, and makes decisions on them after asking."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from app.cli.customers.tables import print_parts
from app.cli.support.client import client_of
from app.cli.support.json_output import print_json
from app.cli.support.progress import confirmed
from app.cli.support.store import in_store, note, user
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.customers.shown import decision_json, handle_ids
from schemas.events import Handle
from schemas.typed_handles import searched, typed
from sql import Deciding, Decision, EventStore, Refused

Decide = Callable[[EventStore, str, UUID, bool], Awaitable[Decision]]


def decided(text: str, client: str | None, decide: Decide, action: str, preview: bool, yes: bool, as_json: bool) -> int:
    """Show what a decision moves, ask, and make it; return the exit code."""

    async def work(store: EventStore, client: str, customer: UUID) -> int:
        try:
            looked = await decide(store, client, customer, True)
            await note(store, "customer.read", client, str(looked.stays.customer_id))
            if not as_json and (preview or not yes):
                print_parts(await decision_json(store, looked, preview=True))
            if preview:
                return print_json(await decision_json(store, looked, preview=True)) if as_json else 0
            if not looked.moves.assignments:
                return print_note("They are one customer already.")
            if not confirmed("Do it?", yes):
                return print_error("Nothing was changed; --yes changes without asking.")
            made = await decide(store, client, customer, False)
            await note(store, action, client, str(made.becomes))
        except Refused as error:
            return print_error(str(error))
        except LookupError as error:
            return print_error(f"Nothing was changed: {error}.")
        except ValueError as error:  # a second customer, or a handle, that is neither an id nor an address
            return print_error(f"Nothing was changed: {error}.", MISUSED)
        if as_json:
            return print_json(await decision_json(store, made))
        print(made.becomes)
        return print_note(f"Undo it: threadline customers undo {made.event_id}")

    return of_customer(text, client, work)


def of_customer(text: str, client: str | None, work: Callable[[EventStore, str, UUID], Awaitable[int]]) -> int:
    """Run `work` with the store open, the client and the customer's id; return the exit code, 2 for no handle."""
    try:
        _named(text)
    except ValueError as error:
        return print_error(f"{text!r} names no customer: {error}.", MISUSED)

    async def within(store: EventStore) -> int:
        of = await client_of(store, client)
        try:
            customer = await customer_id(store, of, text)
        except LookupError as error:
            return print_error(str(error))
        return await work(store, of, customer)

    return in_store(within)


async def customer_id(store: EventStore, client: str, text: str) -> UUID:
    """Return a customer's id by itself or by a handle. Raises ValueError for neither, LookupError for an unknown handle."""
    if isinstance(handle := _named(text), UUID):
        return handle
    rows = await store.customer_of(client, handle.kind, handle.value)
    if not rows:
        raise LookupError(f"client {client} has no customer with the handle {typed(handle.kind, handle.value)}")
    id: UUID = rows[0]["customer_id"]
    return id


def _named(text: str) -> UUID | Handle:
    """Return a customer's id, or one of the handles. Raises ValueError for neither."""
    try:
        return UUID(text)
    except ValueError:
        return searched(text)


async def handle_ids_of(store: EventStore, client: str, customer: UUID, named: list[str]) -> list[UUID]:
    """Return the ids of a customer's handles. Raises ValueError for no handle, LookupError for one of somebody else."""
    side = await store.customer_assignments(client, customer)
    if side is None:
        raise LookupError(f"client {client} has no customer with the id {customer}")
    return handle_ids(side, named)


def by(reason: str | None) -> Deciding:
    """Return who decides: the user of the command line."""
    name = user()
    return Deciding("operator", f"command line, {name}" if name else "command line", reason)
