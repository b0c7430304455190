"""`threadline clients seed`: apply a file of clients and accounts. Applying it again changes nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.contract import Adapter
from app.cli.clients.accounts import settings_of
from app.cli.clients.configuration import run as run_with_store
from app.cli.clients.documents import Unreadable, differences, document_of
from app.cli.support.terminal import print_lines, print_note
from app.clients.accounts import Account, account_of
from app.clients.changes import Changes
from app.clients.ids import is_client_id
from app.keys import seal_of
from app.numbered import numbered
from schemas import SchemaError
from schemas.faults import Faults


@dataclass(frozen=True, slots=True)
class _Client:
    """One client of the file: its configuration, which may be empty, and its accounts' documents by name (None: no document)."""

    id: str
    document: dict[str, Any]
    accounts: dict[str, dict[str, Any] | None]


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
        faults = Faults()
        found = list(_clients(file, faults))
        for one in found:
            await _check(one, changes, faults)
        faults.refuse()
        for one in found:
            await _apply(one, changes)
        return print_note(f"{file}: {numbered(len(found), 'client is', 'clients are')} applied.")

    return run_with_store(apply)


def _clients(file: Path, faults: Faults) -> Iterator[_Client]:
    """Yield the clients of the file, and keep what is wrong with them in `faults`. Raises Unreadable."""
    whole = document_of(str(file))
    clients = whole.get("clients")
    if not isinstance(clients, Mapping) or len(whole) != 1:
        raise Unreadable(f"{file}: it must have tables [clients.ID] and nothing else")
    for id, document in clients.items():
        if not isinstance(document, dict):
            faults.add(f"$.clients.{id}", "must be a table")
            continue
        accounts = document.pop("accounts", {})
        if not isinstance(accounts, dict):
            faults.add(f"$.clients.{id}.accounts", "must be a table")
            continue
        for name, account in accounts.items():
            path = f"$.clients.{id}.accounts.{name}"
            if not isinstance(account, dict) or not isinstance(account.get("settings"), dict):
                faults.add(path, "must be a table with an adapter and settings")
                accounts[name] = None
                continue
            for key, value in account["settings"].items():
                try:
                    account["settings"] |= settings_of({key: value}, file.parent)
                except Unreadable as error:
                    faults.add(f"{path}.settings.{key}", str(error))
        yield _Client(id, document, accounts)


async def _check(one: _Client, changes: Changes, faults: Faults) -> None:
    """Check a client of the file, and keep what is wrong with it, with the path in the file, in `faults`. Raises NoKey."""
    with faults, _under(f"$.clients.{one.id}"):
        changes.check_client(one.id)
    made: dict[str, Adapter | None] = dict.fromkeys(one.accounts)
    for name, account in one.accounts.items():
        if account is not None:
            with faults:
                made[name] = _account(one.id, name, account).adapter
    if any(made.values()):
        _ = seal_of(changes.settings).key_id  # raises NoKey before anything is written
    if one.document and is_client_id(one.id):
        senders = dict(await changes.senders(one.id)) | made
        with faults, _under(f"$.clients.{one.id}"):
            changes.check_document(one.id, one.document, senders)


@contextmanager
def _under(path: str) -> Iterator[None]:
    """Raise a SchemaError of the block with its path in the file."""
    try:
        yield
    except SchemaError as error:
        raise error.under(path) from error


def _account(client_id: str, name: str, document: dict[str, Any]) -> Account:
    document = dict(document)
    with _under(f"$.clients.{client_id}.accounts.{name}"):
        if not isinstance(trusted := document.pop("trusted", False), bool):
            raise SchemaError("$.trusted", "must be true or false")
        return account_of(name, document, trusted=trusted)


async def _apply(one: _Client, changes: Changes) -> None:
    for name, account in one.accounts.items():
        assert account is not None, "the file was checked"
        state = await changes.write_account(one.id, _account(one.id, name, account))
        if state != "unchanged":
            print_lines(f"{one.id}: account {name} {state}")
    if one.document:
        row = await changes.set_client(one.id, one.document)
        for line in differences(row["replaced"] or {}, row["document"]) if row["added"] else ():
            print_lines(f"{one.id}: {line}")
