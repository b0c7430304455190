"""`threadline keys create|list|revoke`: API keys, straight in the store."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.access import SCOPES, mint, unknown_scopes
from app.commands.opened import opened
from sql import EventStore

#: Usage errors have exit code 2, as the shell's own.
FAILED, MISUSED = 1, 2


def create(name: str, *, scopes: list[str], client: str) -> int:
    """Make a key and print it, this once, on standard output; what is said of it goes to standard error."""
    if unknown := unknown_scopes(scopes):
        return _say(f"There is no scope {', '.join(unknown)}. The scopes: {', '.join(SCOPES)}.", MISUSED)
    id, token, hash = mint()

    async def make(store: EventStore) -> int:
        await store.create_api_key(id, name, client, sorted(set(scopes)), hash)
        return 0

    if code := _run(make):
        return code
    _say(f"Key {id} for client {client}, {', '.join(sorted(set(scopes)))}. It is shown this once:", 0)
    print(token)
    return 0


def show() -> int:
    """Print the keys: never a secret, nor its hash."""

    async def read(store: EventStore) -> int:
        table = Table(title="API keys", title_justify="left", header_style="bold")
        for heading in ("id", "name", "client", "scopes", "created", "revoked"):
            table.add_column(heading, no_wrap=heading == "id")
        for row in await store.api_keys():
            style = "dim" if row["revoked_at"] else ""
            cells = (str(row["id"]), row["name"], row["client_id"], ", ".join(row["scopes"]))
            times = (_time(row["created_at"]), _time(row["revoked_at"]))
            table.add_row(*(Text(cell) for cell in (*cells, *times)), style=style)
        Console().print(table if table.row_count else "There are no keys. Make one: threadline keys create NAME")
        return 0

    return _run(read)


def revoke(key: str) -> int:
    """Revoke a key by its id, or by the key itself."""
    text = key.removeprefix("tl_").partition("_")[0]
    try:
        id = UUID(text)
    except ValueError:
        return _say("A key is named by its id, as `threadline keys list` shows it.", MISUSED)

    async def end(store: EventStore) -> int:
        if not await store.revoke_api_key(id):
            return _say(f"There is no key {id} that could be revoked.", FAILED)
        return _say(f"Key {id} is revoked; it is refused within a minute everywhere.", 0)

    return _run(end)


def _run(work: Callable[[EventStore], Awaitable[int]]) -> int:
    async def run() -> int:
        async with opened() as store:
            return await work(store)

    return asyncio.run(run())


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _say(text: str, code: int) -> int:
    Console(stderr=True, soft_wrap=True).print(Text(text))
    return code
