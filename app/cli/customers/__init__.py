"""`threadline customers`: customers, decisions on them, and what the law asks for of one, in the database."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from app.api.customer_record import CONFLICTS, CONFLICTS_MAX
from app.cli.customers.deciding import by, customer_id, decided, handle_ids_of, of_customer
from app.cli.customers.tables import handle_words, print_customer
from app.cli.erasure.exporting import export
from app.cli.erasure.requesting import erase, hold, unhold
from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.key_names import key_names
from app.cli.support.progress import Yes
from app.cli.support.store import in_store, note
from app.cli.support.terminal import entry, minute, print_error, print_note
from app.cli.support.times import SINCE, time_of
from app.customers.shown import conflicts_json, customer_json
from sql import Decision, EventStore, Refused

customers = typer.Typer(
    name="customers",
    no_args_is_help=True,
    help="Show customers with all their handles; merge, split, erase, hold and export them.",
)

Customer = Annotated[
    str,
    typer.Argument(metavar="CUSTOMER", help="A customer's id, or one of the handles: +15551234567, ana@example.com."),
]
Client = Annotated[
    str | None,
    typer.Option(help="The client id of the customer; by default that of THREADLINE_API_KEY, else default."),
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Why, in words, without addresses; it is kept in the log.")
]
Preview = Annotated[bool, typer.Option("--preview", help="Only show what would move.")]


@customers.command()
def find(handle: Annotated[str, typer.Argument(metavar="HANDLE", help="A handle.")], client: Client = None) -> int:
    """Print the id of the customer who has a handle now."""

    async def work(store: EventStore, client: str, customer: UUID) -> int:
        await note(store, "customer.read", client, str(customer))
        print(customer)
        return 0

    return of_customer(handle, client, work)


@customers.command()
def show(customer: Customer, client: Client = None, as_json: AsJson = False) -> int:
    """Show a customer: handles, interactions by channel, opt-outs, links that do not apply, and decisions."""

    async def work(store: EventStore, client: str, id: UUID) -> int:
        await note(store, "customer.read", client, str(id))
        found = await customer_json(store, client, id)
        if found is None:
            return print_error(f"Client {client} has no customer with the id {id}.")
        if as_json:
            return print_json(found)
        if found["customerId"] != id:
            print_note(f"{id} was merged into {found['customerId']}.")
        names = await key_names(store, [(one["evidence"] or {}).get("actor") for one in found["changes"]])
        print_customer(found, names)
        return 0

    return of_customer(customer, client, work)


@customers.command()
def merge(
    into: Customer,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The customer that is merged into the first.")],
    client: Client = None,
    reason: Reason = None,
    preview: Preview = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Merge a customer into another, whose id stays.

    The other id leads to it from then on. It can be undone, also later. A handle names the customer who has it, so that this
    also links two handles.
    """

    async def decide(store: EventStore, client: str, customer: UUID, only_look: bool) -> Decision:
        merged = await customer_id(store, client, other)
        return await store.merge_customers(client, customer, merged, by(reason), only_look=only_look)

    return decided(into, client, decide, "customer.merge", preview, yes, as_json)


@customers.command()
def split(
    customer: Customer,
    handles: Annotated[list[str], typer.Argument(metavar="HANDLE", help="The handles that move to a new customer.")],
    client: Client = None,
    reason: Reason = None,
    preview: Preview = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Make a new customer of some of a customer's handles.

    The others keep the id. No later statement of a provider joins the two again: it becomes a conflict for you to decide.
    """

    async def decide(store: EventStore, client: str, id: UUID, only_look: bool) -> Decision:
        ids = await handle_ids_of(store, client, id, handles)
        return await store.split_customer(client, id, ids, by(reason), only_look=only_look)

    return decided(customer, client, decide, "customer.split", preview, yes, as_json)


@customers.command()
def unlink(
    customer: Customer,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="The handle that has a new owner.")],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=f"Since when, in UTC: {SINCE}.")],
    client: Client = None,
    reason: Reason = None,
    preview: Preview = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Give a handle to a new customer from a time on, such as a number that was given to another person.

    What was said before that time stays with this customer.
    """

    at = time_of("--from", since, datetime.now(UTC), SINCE)

    async def decide(store: EventStore, client: str, id: UUID, only_look: bool) -> Decision:
        (found,) = await handle_ids_of(store, client, id, [handle])
        return await store.unlink_handle(client, id, found, at, by(reason), only_look=only_look)

    return decided(customer, client, decide, "customer.unlink", preview, yes, as_json)


@customers.command()
def undo(
    event: Annotated[
        UUID, typer.Argument(metavar="EVENT", help="The event's id; `threadline customers show` lists it.")
    ],
    client: Client = None,
    reason: Reason = None,
) -> int:
    """Undo a merge, a split or an unlinking, also after later ones."""

    async def within(store: EventStore) -> int:
        of = await client_of(store, client)
        try:
            undone = await store.undo_customer_change(of, event, by(reason))
        except Refused as error:
            return print_error(str(error))
        await note(store, "customer.undo", of, str(event))
        print_note(f"Undone, by the event {undone}.")
        return 0

    return in_store(within)


@customers.command()
def conflicts(
    client: Client = None,
    limit: Annotated[
        int, typer.Option(min=1, max=CONFLICTS_MAX, help="The number of conflicts, newest first.")
    ] = CONFLICTS,
    as_json: AsJson = False,
) -> int:
    """List links that contradict a split: merge the two customers, or leave them apart."""

    async def within(store: EventStore) -> int:
        of = await client_of(store, client)
        await note(store, "customer.conflicts", of, "")
        found = await conflicts_json(store, of, limit)
        if as_json:
            return print_json({"conflicts": found})
        for one in found:
            sides = (
                f"{handle_words(side['handle'])}\ncustomer {side['customerId']}" for side in (one["one"], one["other"])
            )
            print(entry(f"since {minute(one['since'])}", *sides))
        if not found:
            print("No conflicts.")
        return 0

    return in_store(within)


for _command in (erase, hold, unhold, export):
    customers.command(_command.__name__)(_command)
