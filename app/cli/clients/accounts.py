"""`threadline clients account|remove-account|reseal`: the clients' accounts at providers, in the database.

Secrets come from a prompt, a file or the environment: a command line is kept in the shell's history, and other users of
the machine can read it while the command runs.
"""

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters import ADAPTERS
from app.cli.clients.configuration import ClientId, run
from app.cli.clients.documents import Unreadable
from app.cli.support.progress import interruptible
from app.cli.support.terminal import print_error, print_note, why
from app.clients.accounts import account_json
from app.clients.changes import Changes
from app.clients.shown_accounts import webhooks_of
from app.numbered import numbered

Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


def set_account(
    client: ClientId,
    name: Name,
    adapter: Annotated[str, typer.Option(help="The provider's adapter: twilio, smtp, … (threadline providers).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a setting that is not secret. Repeatable.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME asks for the value; NAME=@FILE and NAME=env:VARIABLE read it, so that it is in no history. "
            "Repeatable, also for one that is being rotated."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The source of its webhooks; by default the account's name.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The public URL to which the provider posts webhooks.")] = None,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Allow a private address, such as that of your own gateway or simulator.")
    ] = False,
) -> int:
    """Add an account at a provider, or replace it as a whole. Its settings are stored encrypted."""

    async def write(changes: Changes) -> int:
        settings: dict[str, list[str]] = {}
        options = [*(_open(one, adapter) for one in set_ or ()), *(_hidden(one) for one in secret or ())]
        for key, value in options:
            settings.setdefault(key, []).append(value)
        members = {"adapter": adapter, "settings": settings, "source": source, "url": url}
        document = {key: value for key, value in members.items() if value is not None}
        account, state = await changes.set_account(client, name, document, trusted=trusted)
        public = account_json(account)
        names = ", ".join([*public["settings"], *public["secrets"]]) or "no settings"
        print_note(f"Account {name} of client {client} {'is' if state == 'unchanged' else 'was'} {state}: {names}.")
        if account.adapter.events:
            posts, wrong = webhooks_of(client, name, account.url)
            print_note(f"Its provider posts webhooks to {posts}{f' ({wrong})' if wrong else ''}")
        return 0

    return run(write)


def remove_account(client: ClientId, name: Name) -> int:
    """Remove an account and its secrets. One that a channel uses is kept."""

    async def write(changes: Changes) -> int:
        if await changes.remove_account(client, name):
            return print_note(f"Account {name} of client {client} and its secrets were removed.")
        return print_error(f"Client {client} has no account {name} in the database.")

    return run(write)


def reseal() -> int:
    """Encrypt all accounts, what finds the clients' addresses, and the keys of raw records under the first key of the settings, so that
    the older keys can be removed. It can be ended and run again, while everything runs."""

    async def write(changes: Changes) -> int:
        accounts, peppers = await changes.reseal(), await changes.store.reseal_peppers()
        keys = await changes.store.reseal_hour_keys(
            lambda seen: print_note(f"{numbered(seen, 'key')} of raw records looked at")
        )
        return print_note(
            f"{numbered(accounts, 'account')}, the peppers and root keys of {numbered(peppers, 'client')}, and {numbered(keys, 'key')} of raw "
            "records were encrypted under "
            "the first key; the others "
            "already are."
        )

    return run(write)


def read_from(value: str, folder: Path) -> str:
    """Return the text of the file for `@FILE` (relative to `folder`), the variable's value for `env:NAME`, else `value`.

    Raises Unreadable.
    """
    if value.startswith("env:"):
        if (found := os.environ.get(value[4:])) is None:
            raise Unreadable(f"there is no variable {value[4:]} in the environment")
        return found
    if not value.startswith("@"):
        return value
    try:
        return (folder / value[1:]).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Unreadable(f"{value[1:]} cannot be read: {why(error)}") from error


def settings_of(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return settings, each text replaced by what `read_from` returns for it."""
    return {
        key: [read_from(one, folder) if isinstance(one, str) else one for one in value]
        if isinstance(value, list)
        else (read_from(value, folder) if isinstance(value, str) else value)
        for key, value in settings.items()
    }


def _open(text: str, adapter: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Unreadable("--set is NAME=VALUE")
    known = ADAPTERS[adapter].settings if adapter in ADAPTERS else ()
    if any(one.secret and key in (one.name, *one.aliases) for one in known):
        raise Unreadable(
            f"{key} is a secret, and a command line is kept in its history: --secret {key} asks for it, "
            f"--secret {key}=@FILE and --secret {key}=env:VARIABLE read it"
        )
    return key, value


def _hidden(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if equals:
        if not value.startswith(("@", "env:")):
            raise Unreadable(f"--secret {key} asks for the value; {key}=@FILE and {key}=env:VARIABLE read it")
        return key, read_from(value, Path())
    with interruptible():
        found = getpass.getpass(f"{key}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise Unreadable(f"no value was given for {key}")
    return key, found
