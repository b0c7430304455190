"""`threadline keys create|list|revoke`: API keys, in the database."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import in_store
from app.cli.support.terminal import MISUSED, entry, minute, print_error, print_note
from app.http.access import SCOPES, mint, unknown_scopes
from sql import EventStore

keys = typer.Typer(name="keys", no_args_is_help=True, help="Create, list and revoke API keys.")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="timeline:read (the default), clients:read, …; repeatable. A wrong one lists all scopes."),
    ] = None,
    client: Annotated[
        str | None, typer.Option(help="The client id it acts for; by default that of THREADLINE_API_KEY, else default.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it expires: 90d, 2027-01-31, or a time (RFC 3339). By default never.")
    ] = None,
) -> int:
    """Create a key and print it, this once; only its hash is stored."""
    scopes = sorted(set(scope or ["timeline:read"]))
    if unknown := unknown_scopes(scopes):
        return print_error(f"There is no scope {', '.join(unknown)}. The scopes: {', '.join(SCOPES)}.", MISUSED)
    ends = _ends(expires, datetime.now(UTC)) if expires else None
    if expires and ends is None:
        return print_error(
            f"--expires {expires} is no future time: write 90d, 2027-01-31 or 2027-01-31T12:00:00Z.", MISUSED
        )
    id, token, hash = mint()

    async def make(store: EventStore) -> int:
        whose = client or await client_of(store, None)
        await store.create_api_key(id, name, whose, scopes, hash, ends)
        until = f" It expires at {minute(ends)} UTC." if ends else ""
        print_note(f"Key {id} for client {whose}, {', '.join(scopes)}.{until} It is shown this once:")
        print(token)
        return 0

    return in_store(make)


def _ends(text: str, now: datetime) -> datetime | None:
    """Return the time that `--expires` names, in UTC; None for no time or one that has passed."""
    try:
        if text.endswith("d"):
            ends = now + timedelta(days=int(text[:-1]))
        else:
            ends = datetime.fromisoformat(text)
            ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return ends.astimezone(UTC) if ends > now else None


@keys.command("list")
def list_(as_json: AsJson = False) -> int:
    """List the keys, without their secrets: client, scopes, last use and expiry."""

    async def read(store: EventStore) -> int:
        rows = await store.api_keys()
        if as_json:
            return print_json(rows)
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
    return entry(name, str(row["id"]), ", ".join(row["scopes"]), ", ".join(times))


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it, or the key itself.")],
) -> int:
    """Revoke a key. Within a minute it is refused everywhere."""
    text = key.removeprefix("tl_").partition("_")[0]
    try:
        id = UUID(text)
    except ValueError:
        return print_error("A key is named by its id, as `threadline keys list` shows it.", MISUSED)

    async def end(store: EventStore) -> int:
        if not await store.revoke_api_key(id):
            return print_error(f"There is no valid key {id}.")
        return print_note(f"Key {id} is revoked; within a minute it is refused everywhere.")

    return in_store(end)
