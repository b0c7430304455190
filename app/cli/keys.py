"""`threadline keys create|list|rotate|revoke`: API keys, in the database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.scopes import scopes
from app.cli.support.store import in_store
from app.cli.support.terminal import MISUSED, entry, minute, print_error, print_note
from app.cli.support.times import AHEAD, age, time_ahead
from app.clients.ids import RULE, is_client_id
from app.http.scopes import ALL_CLIENTS, ROLES, SCOPES, unknown_scopes
from app.http.tokens import fault_of, id_of, mint
from app.settings.loading import load
from sql import EventStore
from webhooks.callers import compared

_NAMED = "A key is named by its id, as `threadline keys list` shows it, or given itself."

keys = typer.Typer(name="keys", no_args_is_help=True, help="Create, list, rotate and revoke API keys.")
keys.command("scopes")(scopes)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="timeline:read (the default), clients:read, …; repeatable. A wrong one lists all scopes."),
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help=f"A role beside the scopes, repeatable: {', '.join(ROLES)}.")
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(help="A network from which alone it may be used, 10.0.0.0/8 or one address; repeatable."),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            help="The client id it acts for; by default that of THREADLINE_API_KEY, else default. '*': all clients."
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(help=f"When it expires: {AHEAD}. By default never.")] = None,
) -> int:
    """Create a key and print it, this once; only its hash is stored."""
    roles = sorted(set(role or ()))
    allowed = sorted(set(scope or ([] if roles else ["timeline:read"])))
    if unknown := unknown_scopes(allowed):
        return print_error(f"There is no scope {', '.join(unknown)}. The scopes: {', '.join(SCOPES)}.", MISUSED)
    if strange := [name for name in roles if name not in ROLES]:
        return print_error(f"There is no role {', '.join(strange)}. The roles: {', '.join(ROLES)}.", MISUSED)
    if client is not None and client != ALL_CLIENTS and not is_client_id(client):
        return print_error(f"--client: {RULE}; a key for all clients has *.", MISUSED)
    try:
        networks = [str(compared(ip_network(text))) for text in network or ()]
    except ValueError as error:
        return print_error(f"--network: {error}. Write 10.0.0.0/8, 2001:db8::/32 or one address.", MISUSED)
    ends = time_ahead(expires, datetime.now(UTC)) if expires else None
    if expires and ends is None:
        return print_error(f"--expires {expires} is no future time: write {AHEAD}.", MISUSED)
    id, token, hash = mint(load().api.keys)

    async def make(store: EventStore) -> int:
        whose = client or await client_of(store, None)
        await store.create_api_key(id, name, whose, allowed, hash, ends, roles, networks)
        until = f" It expires at {minute(ends)} UTC." if ends else ""
        print_note(f"Key {id} for client {whose}, {', '.join([*roles, *allowed])}.{until} It is shown this once:")
        print(token)
        return 0

    return in_store(make)


@keys.command("list")
def list_(as_json: AsJson = False) -> int:
    """List the keys, without their secrets: client, scopes, last use and expiry."""

    async def read(store: EventStore) -> int:
        rows = await store.api_keys()
        if as_json:
            return print_json([{**row, "networks": list(map(str, row["networks"]))} for row in rows])
        for row in rows:
            print(_entry(row))
        if not rows:
            print("There are no keys. Make one: threadline keys create NAME")
        return 0

    return in_store(read)


def _entry(row: Mapping[str, Any]) -> str:
    """Return a key as an entry, with its scopes and times."""
    now = datetime.now(UTC)
    state = (
        " (revoked)" if row["revoked_at"] else " (expired)" if row["expires_at"] and row["expires_at"] <= now else ""
    )
    names = ("created", "last_used", "expires", "revoked")
    times = [f"{name.replace('_', ' ')} {minute(row[f'{name}_at'])}" for name in names if row[f"{name}_at"]]
    if not row["last_used_at"]:
        times.insert(1, "never used")
    name = f"{row['name']}{state}, for client {row['client_id']}"
    where = [f"from {', '.join(map(str, row['networks']))}"] if row["networks"] else []
    next_ = [f"replaced by {row['replaced_by']}"] if row["replaced_by"] else []
    may = ", ".join([*row["roles"], *row["scopes"]])
    made = [f"made by {', '.join(row['makers'])}"] if row["makers"] else []
    return entry(name, str(row["id"]), may, *where, ", ".join(times), *made, *next_)


@keys.command()
def rotate(
    key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it, or the key itself.")],
    grace: Annotated[str, typer.Option(help="How long the present key still works: 24h, 7d, 0s.")] = "24h",
) -> int:
    """Create a key that may do the same and lives as long, print it, this once, and let the present one expire."""
    id, left = _id_of(key), age(grace)
    if id is None:
        return print_error(_NAMED, MISUSED)
    if left is None:
        return print_error(f"--grace {grace} is no duration: write 24h, 7d or 0s.", MISUSED)
    new, token, hash = mint(load().api.keys)

    async def replace(store: EventStore) -> int:
        row = await store.rotate_api_key(id, new, hash, left)
        if row is None:
            return print_error(f"There is no valid key {id} that was not rotated before.")
        until = f" It expires at {minute(row['expires_at'])} UTC." if row["expires_at"] else ""
        print_note(
            f"Key {new} for client {row['client_id']} replaces {id}, which works until {minute(row['old_expires_at'])} UTC."
            f"{until} It is shown this once:"
        )
        print(token)
        return 0

    return in_store(replace)


def _id_of(text: str) -> UUID | None:
    """Return the id of a key that is named by its id or given itself; None for anything else."""
    if fault_of(text) is None:
        return id_of(text)
    try:
        return UUID(text)
    except ValueError:
        return None


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it, or the key itself.")],
) -> int:
    """Revoke a key. Within a minute it is refused everywhere."""
    id = _id_of(key)
    if id is None:
        return print_error(_NAMED, MISUSED)

    async def end(store: EventStore) -> int:
        if not await store.revoke_api_key(id):
            return print_error(f"There is no valid key {id}.")
        return print_note(f"Key {id} is revoked; within a minute it is refused everywhere.")

    return in_store(end)
