"""`threadline clients account|remove-account|reseal`: accounts at providers. Secrets come from a prompt, a file or the
environment: what is on a command line is in its history, and for all to see while it runs."""

import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters import ADAPTERS
from app.clients.changes import Changes
from app.clients.shown_accounts import webhooks_of
from app.commands.clients import run
from app.commands.documents import Unreadable
from app.commands.terminal import FAILED, say
from app.sending.accounts import account_json


def put(
    client_id: str,
    name: str,
    adapter: str,
    *,
    given: Sequence[str],
    hidden: Sequence[str],
    source: str | None,
    url: str | None,
    trusted: bool,
) -> int:
    """Add or replace an account."""

    async def write(changes: Changes) -> int:
        settings: dict[str, list[str]] = {}
        for key, value in [*(_open(one, adapter) for one in given), *(_hidden(one) for one in hidden)]:
            settings.setdefault(key, []).append(value)
        said = {"adapter": adapter, "settings": settings, "source": source, "url": url}
        document = {key: value for key, value in said.items() if value is not None}
        account, state = await changes.set_account(client_id, name, document, trusted=trusted)
        told = account_json(account)
        names = ", ".join([*told["settings"], *told["secrets"]]) or "no settings"
        say(f"Account {name} of client {client_id} {'is' if state == 'unchanged' else 'was'} {state}: {names}.", 0)
        if account.adapter.EVENTS:
            posts, wrong = webhooks_of(client_id, name, account.url)
            say(f"Its provider posts webhooks to {posts}{f' ({wrong})' if wrong else ''}", 0)
        return 0

    return run(write)


def remove(client_id: str, name: str) -> int:
    """Remove an account."""

    async def write(changes: Changes) -> int:
        if await changes.remove_account(client_id, name):
            return say(f"Account {name} of client {client_id} is removed, and its secrets are gone.", 0)
        return say(f"Client {client_id} has no account {name} in the store.", FAILED)

    return run(write)


def reseal() -> int:
    """Put all accounts under the first key."""

    async def write(changes: Changes) -> int:
        return say(f"{await changes.reseal()} accounts are under the first key now; the others were already.", 0)

    return run(write)


def read_from(value: str, folder: Path) -> str:
    """What `@FILE` (of the folder, where it is relative) or `env:NAME` stands for; anything else is itself.

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
        raise Unreadable(f"{value[1:]} cannot be read: {error}") from error


def settings_of(said: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings with what `read_from` reads in its place."""
    return {
        key: [read_from(one, folder) if isinstance(one, str) else one for one in value]
        if isinstance(value, list)
        else (read_from(value, folder) if isinstance(value, str) else value)
        for key, value in said.items()
    }


def _open(text: str, adapter: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Unreadable("--set is NAME=VALUE")
    known = ADAPTERS[adapter].SETTINGS if adapter in ADAPTERS else ()
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
    found = getpass.getpass(f"{key}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise Unreadable(f"no value was given for {key}")
    return key, found
