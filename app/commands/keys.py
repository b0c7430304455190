"""`threadline keys create|list|revoke`: API keys, straight in the store."""

from uuid import UUID

from rich.console import Console

from app.access import SCOPES, mint, unknown_scopes
from app.commands.acting import client_of
from app.commands.opened import in_store
from app.commands.terminal import FAILED, MISUSED, add_row, minute, say, table
from sql import EventStore


def create(name: str, *, scopes: list[str], client: str | None) -> int:
    """Make a key and print it, this once, on standard output; what is said of it goes to standard error."""
    if unknown := unknown_scopes(scopes):
        return say(f"There is no scope {', '.join(unknown)}. The scopes: {', '.join(SCOPES)}.", MISUSED)
    id, token, hash = mint()

    async def make(store: EventStore) -> int:
        whose = client or await client_of(store, None)
        await store.create_api_key(id, name, whose, sorted(set(scopes)), hash)
        say(f"Key {id} for client {whose}, {', '.join(sorted(set(scopes)))}. It is shown this once:", 0)
        print(token)
        return 0

    return in_store(make)


def show() -> int:
    """Print the keys: never a secret, nor its hash."""

    async def read(store: EventStore) -> int:
        keys = table("id", "name", "client", "scopes", "created", "revoked", title="API keys", whole="id")
        for row in await store.api_keys():
            style = "dim" if row["revoked_at"] else ""
            cells = (row["id"], row["name"], row["client_id"], ", ".join(row["scopes"]))
            times = (minute(row["created_at"]), minute(row["revoked_at"]))
            add_row(keys, *cells, *times, style=style)
        Console().print(keys if keys.row_count else "There are no keys. Make one: threadline keys create NAME")
        return 0

    return in_store(read)


def revoke(key: str) -> int:
    """Revoke a key by its id, or by the key itself."""
    text = key.removeprefix("tl_").partition("_")[0]
    try:
        id = UUID(text)
    except ValueError:
        return say("A key is named by its id, as `threadline keys list` shows it.", MISUSED)

    async def end(store: EventStore) -> int:
        if not await store.revoke_api_key(id):
            return say(f"There is no key {id} that could be revoked.", FAILED)
        return say(f"Key {id} is revoked; it is refused within a minute everywhere.", 0)

    return in_store(end)
