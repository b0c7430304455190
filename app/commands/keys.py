"""`threadline keys create|list|revoke`: API keys, straight in the store."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from app.commands.acting import client_of
from app.commands.opened import in_store
from app.commands.terminal import FAILED, MISUSED, entry, minute, say
from app.http.access import SCOPES, mint, unknown_scopes
from sql import EventStore


def create(name: str, *, scopes: list[str], client: str | None, expires: str | None = None) -> int:
    """Make a key and print it, this once, on standard output; what is said of it goes to standard error.

    `client` is by default that of THREADLINE_API_KEY. `expires` is a date (`2027-01-31`), a time (RFC 3339), or so many days from now (`90d`).
    """
    if unknown := unknown_scopes(scopes):
        return say(f"There is no scope {', '.join(unknown)}. The scopes: {', '.join(SCOPES)}.", MISUSED)
    ends = _ends(expires, datetime.now(UTC)) if expires else None
    if expires and ends is None:
        return say(f"--expires {expires} is no time to come: write 90d, 2027-01-31 or 2027-01-31T12:00:00Z.", MISUSED)
    id, token, hash = mint()

    async def make(store: EventStore) -> int:
        whose = client or await client_of(store, None)
        await store.create_api_key(id, name, whose, sorted(set(scopes)), hash, ends)
        until = f" It expires at {minute(ends)} UTC." if ends else ""
        say(f"Key {id} for client {whose}, {', '.join(sorted(set(scopes)))}.{until} It is shown this once:", 0)
        print(token)
        return 0

    return in_store(make)


def _ends(text: str, now: datetime) -> datetime | None:
    """The time that `--expires` names, in UTC; None where it names none, or one that has passed."""
    try:
        if text.endswith("d"):
            ends = now + timedelta(days=int(text[:-1]))
        else:
            ends = datetime.fromisoformat(text)
            ends = ends if ends.tzinfo else ends.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return ends.astimezone(UTC) if ends > now else None


def show(*, as_json: bool = False) -> int:
    """Print the keys: never a secret, nor its hash."""

    async def read(store: EventStore) -> int:
        rows = await store.api_keys()
        if as_json:
            print(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
            return 0
        for row in rows:
            print(_entry(row))
        if not rows:
            print("There are no keys. Make one: threadline keys create NAME")
        return 0

    return in_store(read)


def _entry(row: Mapping[str, Any]) -> str:
    """One key, with its scopes and times."""
    now = datetime.now(UTC)
    state = (
        " (revoked)" if row["revoked_at"] else " (expired)" if row["expires_at"] and row["expires_at"] <= now else ""
    )
    names = ("created", "last_used", "expires", "revoked")
    times = [f"{name.replace('_', ' ')} {minute(row[f'{name}_at'])}" for name in names if row[f"{name}_at"]]
    if not row["last_used_at"]:
        times.insert(1, "never used")
    name = f"{row['name']}{state}, for client {row['client_id']}"
    return entry(name, str(row["id"]), ", ".join(row["scopes"]), ", ".join(times))


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
