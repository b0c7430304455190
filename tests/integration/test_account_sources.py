"""The door's copy of clients' accounts, on a real database and a real disk."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.clients.account_sources import FILE, AccountSources
from app.clients.changes import Changes
from app.settings import Secrets, Settings
from sql import EventStore
from tests.conftest import Dsns
from tests.fixtures import accounts
from tests.support.keys import KEY, SEAL
from tests.support.waiting import eventually
from webhooks.recognise import AccountUnavailable

AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with an encryption key and a data folder of their own."""
    return Settings(data=tmp_path, secrets=Secrets(keys=[SecretStr(KEY)]))


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """Yield a store on a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def put(store: EventStore, settings: Settings, client: str, name: str = "twilio", token: str = "secret") -> None:
    """Set an account as the command line does."""
    document = {"adapter": "twilio", "settings": accounts("twilio").settings | {"auth_token": token}}
    await Changes(store, settings, "test").set_account(client, name, document)


def token(copy: AccountSources, name: str) -> str | None:
    """Return the secret that the copy has for an account."""
    found = copy.find(name)
    return found[2].values["auth_token"][0] if found else None


async def test_a_change_is_known_within_seconds(store: EventStore, settings: Settings) -> None:
    """An account that is added, replaced or removed while the door runs is seen; accounts of different clients are
    independent."""
    await put(store, settings, "shop")
    copy = AccountSources(settings)
    await copy.start(store)
    assert token(copy, "shop/twilio") == "secret" and copy.find("other/twilio") is None and copy.find("twilio") is None

    async def now(name: str) -> str | None:
        return token(copy, name)

    await put(store, settings, "other", token="another")
    await eventually(lambda: now("other/twilio"), lambda found: found == "another")
    await put(store, settings, "shop", token="rotated")
    await eventually(lambda: now("shop/twilio"), lambda found: found == "rotated")
    await store.remove_account("shop", "twilio", "test")
    await eventually(lambda: now("shop/twilio"), lambda found: found is None)
    assert token(copy, "other/twilio") == "another"
    await copy.stop()


async def test_a_door_that_starts_without_the_database_knows_what_it_knew(
    store: EventStore, settings: Settings
) -> None:
    """The door reads the accounts from a file that only this user may read, and that has no secret in clear."""
    await put(store, settings, "shop", token="a-secret-to-look-for")
    first = AccountSources(settings)
    await first.start(store)
    await first.stop()
    kept = settings.data / FILE
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert b"a-secret-to-look-for" not in kept.read_bytes() and b"shop" not in kept.read_bytes()
    async with await EventStore.open(AWAY, SEAL, pool=1) as away:
        second = AccountSources(settings)
        await asyncio.wait_for(second.start(away), 10)
        assert token(second, "shop/twilio") == "a-secret-to-look-for"
        await second.stop()


async def test_without_file_and_database_it_is_not_known_who_there_is(settings: Settings) -> None:
    """The provider is asked to retry, as it is unknown whether there is such an account."""
    async with await EventStore.open(AWAY, SEAL, pool=1) as away:
        copy = AccountSources(settings)
        await copy.start(away)
        with pytest.raises(AccountUnavailable):
            copy.find("shop/twilio")
        assert copy.find("twilio") is None
        await copy.stop()


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
async def test_a_file_that_cannot_be_read_is_made_anew(
    store: EventStore, settings: Settings, content: bytes | None
) -> None:
    """A file that is cut short, changed, or encrypted with a key that is gone is written anew."""
    await put(store, settings, "shop")
    first = AccountSources(settings)
    await first.start(store)
    await first.stop()
    kept = settings.data / FILE
    kept.write_bytes(kept.read_bytes()[:-1] + b"\0" if content is None else content)
    second = AccountSources(settings)
    await second.start(store)
    assert token(second, "shop/twilio") == "secret"
    await second.stop()


async def test_an_account_that_does_not_open_is_that_clients_trouble(
    store: EventStore, settings: Settings, postgres_dsn: Dsns
) -> None:
    """An account that cannot be decrypted, or whose adapter does not exist, affects its client only."""
    for client in ("shop", "locked", "strange"):
        await put(store, settings, client)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        await connection.execute("SET search_path = threadline")
        await connection.execute("UPDATE accounts SET sealed = sealed || '\\x00' WHERE client_id = 'locked'")
        await connection.execute("UPDATE accounts SET adapter = 'none' WHERE client_id = 'strange'")
    copy = AccountSources(settings)
    await copy.start(store)
    for client in ("locked", "strange"):
        with pytest.raises(AccountUnavailable, match=client):
            copy.find(f"{client}/twilio")
    assert token(copy, "shop/twilio") == "secret"
    await copy.stop()


async def test_changes_at_once_are_all_seen(store: EventStore, settings: Settings) -> None:
    """A reader that follows the changes misses none, however their transactions overlap."""
    seen: dict[tuple[str, str], Any] = {}
    change, done = 0, False

    async def follow() -> None:
        nonlocal change
        while not done or await store.last_account_change() > change:
            for row in await store.account_changes(change, 7):
                seen[row["client_id"], row["name"]] = row["sealed"]
                change = row["change"]

    following = asyncio.create_task(follow())
    for _ in range(4):
        await asyncio.gather(*(put(store, settings, f"c{n}") for n in range(10)))
    done = True
    await following
    current = {(row["client_id"], row["name"]): row["sealed"] for row in await store.accounts()}
    assert seen == current
