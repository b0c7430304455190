"""`threadline clients seed`: apply a file of clients and accounts. Applying it again changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.clients.accounts import settings_of
from app.cli.clients.configuration import run as run_with_store
from app.cli.clients.documents import Unreadable, differences, document_of
from app.cli.support.terminal import print_note
from app.clients.accounts import Account, account_of
from app.clients.changes import Changes, check_routes
from app.keys import seal_of
from app.sending.configuration import parse
from schemas import SchemaError


@dataclass(frozen=True, slots=True)
class _Client:
    """One client of the file: its configuration, which may be empty, and its accounts' documents by name."""

    id: str
    document: dict[str, Any]
    accounts: dict[str, dict[str, Any]]


def seed(file: Annotated[Path, typer.Argument(help="A TOML file.")]) -> int:
    """Apply a file of clients and accounts, for deployments. Applying it again changes nothing.

    \b
      \\[clients.shop]
      zone = "Europe/Lisbon"
      channels = \\[{ channel = "sms", account = "twilio" }]

    \b
      \\[clients.shop.accounts.twilio]
      adapter = "twilio"
      settings = { account_sid = "AC…", auth_token = "env:TWILIO_TOKEN" }

    A setting "env:NAME" is the value of that variable, "@FILE" the text of that file. The whole file is checked before
    anything is changed.
    """

    async def apply(changes: Changes) -> int:
        found = list(_clients(file))
        for one in found:
            await _check(one, changes)
        for one in found:
            await _apply(one, changes)
        return print_note(f"{file}: all {len(found)} clients are applied.")

    return run_with_store(apply)


def _clients(file: Path) -> Iterator[_Client]:
    whole = document_of(str(file))
    clients = whole.get("clients")
    if not isinstance(clients, Mapping) or len(whole) != 1:
        raise Unreadable(f"{file}: it must have tables [clients.ID] and nothing else")
    for id, document in clients.items():
        if not isinstance(document, dict):
            raise SchemaError(f"$.clients.{id}", "must be a table")
        accounts = document.pop("accounts", {})
        if not isinstance(accounts, dict):
            raise SchemaError(f"$.clients.{id}.accounts", "must be a table")
        for name, account in accounts.items():
            if isinstance(account, dict) and isinstance(account.get("settings"), dict):
                account["settings"] = settings_of(account["settings"], file.parent)
            else:
                raise SchemaError(f"$.clients.{id}.accounts.{name}", "must be a table with an adapter and settings")
        yield _Client(id, document, accounts)


async def _check(one: _Client, changes: Changes) -> None:
    """Check a client of the file. Raises SchemaError, with the path in the file; NoKey."""
    changes.check_client(one.id)
    made = {name: _account(one, name) for name in one.accounts}
    if made:
        _ = seal_of(changes.settings).key_id  # raises NoKey before anything is written
    if one.document:
        try:
            client = parse(one.id, 0, one.document, changes.settings.callbacks.http_hosts)
            senders = dict(await changes.senders(one.id)) | {name: account.adapter for name, account in made.items()}
            check_routes(client, senders)
        except SchemaError as error:
            raise error.under(f"$.clients.{one.id}") from error


def _account(one: _Client, name: str) -> Account:
    document = dict(one.accounts[name])
    try:
        if not isinstance(trusted := document.pop("trusted", False), bool):
            raise SchemaError("$.trusted", "must be true or false")
        return account_of(name, document, trusted=trusted)
    except SchemaError as error:
        raise error.under(f"$.clients.{one.id}.accounts.{name}") from error


async def _apply(one: _Client, changes: Changes) -> None:
    for name in one.accounts:
        state = await changes.write_account(one.id, _account(one, name))
        if state != "unchanged":
            print(f"{one.id}: account {name} {state}")
    if one.document:
        row = await changes.set_client(one.id, one.document)
        for line in differences(row["replaced"] or {}, row["document"]) if row["added"] else ():
            print(f"{one.id}: {line}")
