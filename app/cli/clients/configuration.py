"""`threadline clients list|show|set`: the configurations of clients, in the database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import zip_longest
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from app.cli.clients.documents import Unreadable, differences, document_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import actor, opened
from app.cli.support.terminal import FAILED, MISUSED, entry, fields, minute, print_error, print_lines, print_note
from app.clients.accounts import LockedAccount
from app.clients.changes import Changes, InUse
from app.clients.configured import implied_document
from app.clients.shown_accounts import AccountJson, accounts_json
from app.embedded.running import resolve
from app.settings.loading import load
from schemas import SchemaError
from schemas.faults import lines
from sql.sealing import NoKey

ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")]


def list_clients(as_json: AsJson = False) -> int:
    """List the clients: those with a configuration, and those that the settings' sources imply."""

    async def read(changes: Changes) -> int:
        rows = {row["client_id"]: row for row in await changes.store.clients()}
        sources = {source.client for source in changes.settings.sources.values()}
        found: list[dict[str, Any]] = []
        for id in sorted(rows.keys() | sources):
            row = rows.get(id, {"version": 0, "created_at": None, "actor": None, "accounts": 0, "document": None})
            document = row["document"] or implied_document(id, changes.settings)
            if document is None and id not in rows:
                continue
            found.append(
                {
                    "clientId": id,
                    "changedAt": row["created_at"],
                    "changedBy": row["actor"],
                    "document": document,
                    "version": row["version"],
                    "accounts": row["accounts"],
                }
            )
        if as_json:
            return print_json(found)
        for one in found:
            print(_listed(one))
        return 0 if found else print_note("There are no clients. How to make one: threadline clients --help")

    return run(read)


def _listed(one: dict[str, Any]) -> str:
    """Return a client as an entry."""
    channels = ", ".join(each["channel"] for each in (one["document"] or {"channels": ()})["channels"])
    version = f"version {one['version']}" if one["version"] else "by the settings"
    changed = fields(changed=minute(one["changedAt"]), by=one["changedBy"])
    return entry(
        f"{one['clientId']}, {version}", fields(channels=channels), fields(accounts=one["accounts"] or None), changed
    )


def show_client(
    client: ClientId,
    history: Annotated[bool, typer.Option("--history", help="Show every version too, and who changed what.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the configuration alone, as `set` accepts it.")
    ] = False,
) -> int:
    """Show a client's configuration and its accounts, without the values of secrets."""

    async def read(changes: Changes) -> int:
        row = await changes.store.client(client)
        document = row["document"] if row else implied_document(client, changes.settings)
        if as_json and document is not None:
            print(_json(document))
            return 0
        found = await accounts_json(changes.store, changes.settings, client)
        if document is None and not found:
            return print_error(f"There is no client {client}. Configure it: threadline clients set {client} --file …")
        origin = (
            f"version {row['version']} of {minute(row['created_at'])} by {row['actor']}" if row else "by the settings"
        )
        console = Console(soft_wrap=True)
        print_lines(f"Client {client}, {origin}" if document else f"Client {client}: no configuration")
        if document:
            console.print(Text(_json(document)))
        _print_accounts(found)
        if history:
            await _history(changes, client, console)
        return 0

    return run(read)


def set_client(
    client: ClientId,
    file: Annotated[str, typer.Option(help="A .json or .toml file; - reads standard input.")],
) -> int:
    """Replace a client's configuration by that of a file, and print what changed. It takes effect within seconds.

    To change one thing: threadline clients show shop --json > shop.json, edit it, set it.
    """

    async def write(changes: Changes) -> int:
        row = await changes.set_client(client, document_of(file))
        if not row["added"]:
            return print_note(f"Client {client} has this configuration already: version {row['version']}.")
        for line in differences(row["replaced"] or {}, row["document"]):
            print_lines(line)
        return print_note(f"Client {client} has version {row['version']}.")

    return run(write)


def run(work: Callable[[Changes], Awaitable[int]]) -> int:
    """Run `work` with the store open and return its exit code; 2 for a document that does not fit, with a line for each error."""

    async def within() -> int:
        settings = resolve(load())
        async with opened(settings) as store:
            return await work(Changes(store, settings, actor()))

    try:
        return asyncio.run(within())
    except SchemaError as error:
        return print_error("\n".join(lines(error.faults)), MISUSED)
    except Unreadable as error:
        return print_error(str(error), MISUSED)
    except (InUse, NoKey, LockedAccount) as error:
        return print_error(str(error), FAILED)


def _print_accounts(found: Sequence[AccountJson]) -> None:
    """Print each account as an entry, with the names of its secrets and what is wrong with it."""
    for account, wrong in found:
        settings = "\n".join(f"{name}={', '.join(values)}" for name, values in (account["settings"] or {}).items())
        print(
            entry(
                f"Account {account['name']}: {account['adapter']}",
                fields(origin=account["origin"], changed=minute(account["changedAt"])),
                wrong or settings,
                f"secrets: {', '.join(account['secrets'])}" if account["secrets"] else "",
                f"webhooks to {account['webhookPath']}" if account["webhookPath"] else "",
            )
        )


async def _history(changes: Changes, client_id: str, console: Console) -> None:
    versions = await changes.store.client_versions(client_id, limit=200)
    for newer, older in zip_longest(versions, versions[1:]):
        print_lines(f"Version {newer['version']}, {minute(newer['created_at'])}, {newer['actor']}")
        if older or newer["version"] == 1:
            for line in differences(older["document"] if older else {}, newer["document"]):
                print_lines(f"  {line}")
    for row in await changes.store.audit(client_id):
        what = " ".join(part for part in (row["action"], row["subject"]) if part)
        print(entry(f"{minute(row['at'])}  {what}, by {row['actor']}", orjson.dumps(row["detail"]).decode()))


def _json(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
