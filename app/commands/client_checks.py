"""What `threadline doctor` looks at in the clients' configurations and accounts."""

from collections.abc import AsyncIterator

import psycopg

from app.commands.checks import Finding
from app.commands.terminal import printable
from app.sending.accounts import UnknownAccount, opened
from app.sending.configuration import parse
from app.sending.seal import NoKey, Seal
from app.settings import Settings
from schemas import SchemaError
from sql import EventStore


async def clients(settings: Settings) -> AsyncIterator[Finding]:
    """There is a key to encrypt with, every account opens, and every configuration is one that this version reads."""
    seal = Seal.of(settings)
    try:
        found = f"the key {seal.key_id} encrypts, {len(settings.secrets.keys)} decrypt"
        yield Finding("Clients' secrets", "ok", found)
    except NoKey:
        yield Finding("Clients' secrets", "look", "no key, so no accounts can be set", "see docs/clients.md, The key")
    if settings.postgres.dsn is None:
        return
    try:
        async with await EventStore.open(settings.postgres.dsn.get_secret_value(), pool=1) as store:
            configured, accounts = await store.clients(), await store.accounts()
            resting, unanswered = await store.resting_accounts(), await store.unanswered_counts()
    except psycopg.Error:  # the rows of PostgreSQL say what is wrong with it
        return
    for row in accounts:
        try:
            opened(row, seal)
        except UnknownAccount as error:
            todo = "put its key back into secrets.keys, or set the account again"
            yield Finding(f"Client {row['client_id']}", "wrong", str(error), todo)
    for row in configured:
        try:
            if row["document"] is not None:
                parse(row["client_id"], row["version"], row["document"], http_hosts=None)
        except SchemaError as error:
            todo = f"threadline clients show {row['client_id']} --json, mend it, threadline clients set"
            yield Finding(f"Client {row['client_id']}", "wrong", f"version {row['version']}: {error}", todo)
    for row in resting:
        until = f"rests until {row['rests_until']:%H:%M:%S} UTC" if row["rests_until"] else "is tried just now"
        found = f"sends nothing: {printable(row['trouble'])}; it {until}, then one message tries it"
        todo = "mend its credentials or settings, or wait for its provider: its messages wait, and go by themselves"
        yield Finding(f"Account {row['account']} of {row['client_id']}", "wrong", found, todo)
    for row in unanswered:
        todo = "threadline messages list --state unanswered, with a key of that client; then release or cancel each"
        found = f"{row['messages']} messages may have been sent, and their provider cannot say"
        yield Finding(f"Client {row['client_id']}", "look", found, todo)
    yield Finding("Clients", "ok", f"{len(configured)} configured, with {len(accounts)} accounts of their own")
