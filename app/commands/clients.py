"""`threadline clients list|show|set`: configurations, straight in the store."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from app.clients.changes import Changes, InUse
from app.clients.configured import implied_document
from app.clients.seal import NoKey
from app.clients.shown_accounts import AccountJson, accounts_json
from app.commands.documents import Unreadable, differences, document_of
from app.commands.opened import actor, opened
from app.commands.terminal import FAILED, MISUSED, add_row, minute, say, table
from app.embedded.running import resolve
from app.sending.accounts import LockedAccount
from app.settings import Settings
from schemas import SchemaError


def show_all() -> int:
    """Print every client, with the version that counts, its channels, and how many accounts it has."""

    async def read(changes: Changes) -> int:
        rows = {row["client_id"]: row for row in await changes.store.clients()}
        sources = {source.client for source in changes.settings.sources.values()}
        listed = table("client", "version", "channels", "accounts", "changed", "by", title="Clients")
        for id in sorted(rows.keys() | sources):
            row = rows.get(id, {"version": 0, "created_at": None, "actor": None, "accounts": 0, "document": None})
            document = row["document"] or implied_document(id, changes.settings)
            if document is None and id not in rows:
                continue
            channels = ", ".join(one["channel"] for one in (document or {"channels": ()})["channels"])
            version = str(row["version"]) if row["version"] else "settings"
            add_row(listed, id, version, channels, row["accounts"], minute(row["created_at"]), row["actor"])
        Console().print(
            listed if listed.row_count else "There are no clients. How to make one: threadline clients --help"
        )
        return 0

    return run(read)


def show(client_id: str, *, history: bool, as_json: bool) -> int:
    """Print a client's configuration, its accounts, and with `history` all versions and the audit."""

    async def read(changes: Changes) -> int:
        row = await changes.store.client(client_id)
        document = row["document"] if row else implied_document(client_id, changes.settings)
        if as_json and document is not None:
            print(_json(document))
            return 0
        found = await accounts_json(changes.store, changes.settings, client_id)
        if document is None and not found:
            return say(
                f"There is no client {client_id}. Configure it: threadline clients set {client_id} --file …", FAILED
            )
        origin = (
            f"version {row['version']} of {minute(row['created_at'])} by {row['actor']}" if row else "by the settings"
        )
        console = Console(soft_wrap=True)
        console.print(Text(f"Client {client_id}, {origin}" if document else f"Client {client_id}: no configuration"))
        if document:
            console.print(Text(_json(document)))
        _print_accounts(found)
        if history:
            await _history(changes, client_id, console)
        return 0

    return run(read)


def configure(client_id: str, file: str) -> int:
    """Make a file's document the configuration, and print what changed."""

    async def write(changes: Changes) -> int:
        row = await changes.set_client(client_id, document_of(file))
        if not row["added"]:
            return say(f"Client {client_id} is so already: version {row['version']}.", 0)
        for line in differences(row["replaced"] or {}, row["document"]):
            print(line)
        return say(f"Client {client_id} has version {row['version']}.", 0)

    return run(write)


def run(work: Callable[[Changes], Awaitable[int]]) -> int:
    """Do it with the store open; what does not fit is said with its path, and ends with 2."""

    async def within() -> int:
        settings = resolve(Settings())
        async with opened(settings) as store:
            return await work(Changes(store, settings, actor()))

    try:
        return asyncio.run(within())
    except (SchemaError, Unreadable) as error:
        return say(str(error), MISUSED)
    except (InUse, NoKey, LockedAccount) as error:
        return say(f"{error}", FAILED)


def _print_accounts(found: Sequence[AccountJson]) -> None:
    listed = table("name", "adapter", "settings", "secrets", "from", "changed", "webhooks to", title="Accounts")
    for one, wrong in found:
        settings = wrong or "\n".join(f"{name}={', '.join(values)}" for name, values in one["settings"].items())
        secrets, changed = ", ".join(one["secrets"] or ()), minute(one["changedAt"])
        add_row(listed, one["name"], one["adapter"], settings, secrets, one["origin"], changed, one["webhookPath"])
    Console().print(listed)


async def _history(changes: Changes, client_id: str, console: Console) -> None:
    versions = await changes.store.client_versions(client_id, limit=200)
    for newer, older in zip_longest(versions, versions[1:]):
        console.print(Text(f"Version {newer['version']}, {minute(newer['created_at'])}, {newer['actor']}"))
        if older or newer["version"] == 1:
            for line in differences(older["document"] if older else {}, newer["document"]):
                console.print(Text(f"  {line}"))
    changed = table("when", "who", "what", "of", "detail", title="Changes")
    for row in await changes.store.audit(client_id):
        detail = orjson.dumps(row["detail"]).decode()
        add_row(changed, minute(row["at"]), row["actor"], row["action"], row["subject"], detail)
    Console().print(changed)


def _json(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
