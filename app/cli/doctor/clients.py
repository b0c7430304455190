"""The checks of `threadline doctor` on the clients' configurations, accounts and callbacks."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import psycopg

from app.cli.doctor.finding import Finding
from app.cli.doctor.sources import verifies
from app.cli.support.terminal import printable
from app.clients.accounts import Account, UnknownAccount, opened
from app.clients.callbacks import context
from app.clients.shown_accounts import webhooks_of
from app.keys import keys_of, seal_of
from app.numbered import numbered
from app.sending.configuration import parse
from app.settings import Settings
from schemas import SchemaError
from schemas.faults import line
from sql import EventStore
from sql.handles import CONTEXT, ROOT
from sql.sealing import NoKey, Seal, Tampered


async def clients(settings: Settings) -> AsyncIterator[Finding]:
    """Check that every account and callback secret can be decrypted, that every account can verify its webhooks, and that this
    version can read every configuration."""
    seal = seal_of(settings)
    if settings.postgres.dsn is None:
        return
    try:
        async with await EventStore.open(settings.postgres.dsn.get_secret_value(), seal, pool=1) as store:
            configured, accounts = await store.clients(), await store.accounts()
            callbacks, peppers = await store.sealed_secrets(), await store.sealed_peppers()
            hour_keys = await store.hour_keys_by_key()
            resting, unanswered = await store.resting_accounts(), await store.unanswered_counts()
    except psycopg.Error:  # the check of PostgreSQL reports it
        return
    for row in accounts:
        try:
            account = opened(row, seal)
        except UnknownAccount as error:
            todo = "put its key back into secrets.keys, or set the account again"
            yield Finding(f"Client {row['client_id']}", "wrong", str(error), todo)
            continue
        if account.adapter.events:
            yield _webhooks(row["client_id"], account, settings)
    async for finding in _callbacks(callbacks, seal):
        yield finding
    if unreadable := _peppers(peppers, seal):
        yield unreadable
    known = [Seal([key]).key_id for key in keys_of(settings)]
    if unreadable := _hour_keys(hour_keys, known):
        yield unreadable
    for row in configured:
        try:
            if row["document"] is not None:
                parse(row["client_id"], row["version"], row["document"], http_hosts=None)
        except SchemaError as error:
            todo = f"threadline clients show {row['client_id']} --json, correct it, threadline clients set"
            yield Finding(
                f"Client {row['client_id']}", "wrong", f"version {row['version']}: {line(error.faults)}", todo
            )
    for row in resting:
        until = f"until {row['rests_until']:%H:%M:%S} UTC" if row["rests_until"] else "now"
        found = f"sending by it is paused {until}, then retried with one message: {printable(row['trouble'] or 'its error cannot be decrypted')}"
        todo = "correct its credentials or settings, or wait for its provider; its messages wait, and are sent once it works"
        yield Finding(f"Account {row['account']} of {row['client_id']}", "wrong", found, todo)
    for row in unanswered:
        todo = "threadline messages list --state unanswered, with a key of that client; then release or cancel each"
        its = "its" if row["messages"] == 1 else "their"
        found = f"{numbered(row['messages'], 'message')} may have been sent, and {its} provider cannot say"
        yield Finding(f"Client {row['client_id']}", "look", found, todo)
    yield Finding(
        "Clients", "ok", f"{len(configured)} configured, with {numbered(len(accounts), 'account')} of their own"
    )


def _webhooks(client_id: str, account: Account, settings: Settings) -> Finding:
    """Check that an account's webhooks arrive and can be verified, by the account or by a source of the settings."""
    what = f"Client {client_id}, account {account.name}"
    source = settings.sources.get(account.source)
    if source is not None and source.client == client_id:
        return Finding(what, "ok", f"its webhooks come by the source {account.source} of threadline.toml")
    posts, wrong = webhooks_of(client_id, account.name, account.url)
    if not verifies(account.name, account.adapter, account.values):
        todo = f"set the setting that verifies webhooks: threadline providers {account.adapter.name}"
        return Finding(what, "wrong", "has nothing to verify webhooks with, so all are refused", todo)
    if wrong is not None:
        return Finding(what, "look", wrong, f"have its provider post to {posts}, and set that as the account's --url")
    return Finding(what, "ok", f"webhooks to {posts}")


async def _callbacks(callbacks: list[dict[str, Any]], seal: Seal) -> AsyncIterator[Finding]:
    """Check that every signing secret of a callback can be decrypted: without it nothing is delivered to the client."""
    for row in callbacks:
        try:
            seal.unseal(bytes(row["sealed"]), context(row["client_id"]))
        except (NoKey, Tampered) as error:
            todo = f"put its key back into secrets.keys, or: threadline callbacks rotate {row['client_id']}"
            found = f"version {row['version']} of its callback's secret does not open, so nothing is delivered: {error}"
            yield Finding(f"Client {row['client_id']}", "wrong", found, todo)


def _hour_keys(rows: Sequence[Mapping[str, Any]], known: Sequence[str]) -> Finding | None:
    """Return whether the keys of raw records can be decrypted, and by which key. `known`: the ids of the settings' keys, the one that
    encrypts first."""
    what, total = "Keys of raw records", sum(row["keys"] for row in rows)
    if locked := [row for row in rows if row["key_id"] not in known]:
        keys = sum(row["keys"] for row in locked)
        found = f"{keys} of {total} need the key {locked[0]['key_id']}, without which workers stop at the records under them"
        return Finding(what, "wrong", found, "put the key back into secrets.keys (docs/keys.md)")
    if older := sum(row["keys"] for row in rows if row["key_id"] != known[0]):
        return Finding(what, "look", f"{older} of {total} need an older key", "threadline clients reseal")
    return None


def _peppers(rows: Sequence[Mapping[str, Any]], seal: Seal) -> Finding | None:
    """Return whether the clients' peppers, by which their customers' addresses are found, and root keys, which encrypt what is said of them, can be
    decrypted, and by which key."""
    locked, older = [], 0
    for row in rows:
        try:
            pepper = seal.renewed(row["sealed"], CONTEXT.format(row["client_id"]))
            root = seal.renewed(row["root"], ROOT.format(row["client_id"]))
            older += pepper is not None or root is not None
        except (NoKey, Tampered) as error:
            locked.append(f"{row['client_id']}: {error}")
    if locked:
        found = f"{len(locked)} of {len(rows)} cannot be decrypted, so nothing of these clients is written or sent: {locked[0]}"
        return Finding("Clients' peppers", "wrong", found, "put the key back into secrets.keys (docs/keys.md)")
    if older:
        return Finding(
            "Clients' peppers", "look", f"{older} of {len(rows)} need an older key", "threadline clients reseal"
        )
    return None
