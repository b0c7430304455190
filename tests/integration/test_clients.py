"""Clients in the store: their versions, their accounts, the audit, and how soon a change is seen."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.cli.doctor import clients as client_checks
from app.clients.changes import Changes, InUse
from app.clients.configured import Clients, LockedAccount, UnknownAccount, UnknownClient
from app.settings import Postgres, Secrets, Settings, Source
from schemas import SchemaError
from sql import EventStore
from sql.sealing import NoKey, new_key
from tests.conftest import Dsns
from tests.support.keys import KEY, SEAL

OLD, NEW = KEY, new_key()
GATEWAY = {"adapter": "jasmin", "client": "shop", "username": "u", "password": "operators"}
SOURCES = {"gateway": Source.model_validate(GATEWAY)}
TWILIO: dict[str, Any] = {"adapter": "twilio", "settings": {"account_sid": "AC1", "auth_token": "hidden-token"}}
SMS: dict[str, Any] = {"channels": [{"channel": "sms", "account": "twilio"}]}


def settings(*keys: str) -> Settings:
    """With these keys."""
    return Settings(secrets=Secrets(keys=[SecretStr(key) for key in keys]), sources=SOURCES)


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database, as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


@pytest.fixture
def changes(store: EventStore) -> Changes:
    """Changes by somebody."""
    return Changes(store, settings(OLD), "cli:ana")


async def test_each_change_is_a_version_and_the_highest_counts(store: EventStore, changes: Changes) -> None:
    """The older ones stay as they were; the same again makes none."""
    await changes.set_account("shop", "twilio", TWILIO)
    first = await changes.set_client("shop", SMS)
    second = await changes.set_client("shop", SMS | {"zone": "Europe/Lisbon"})
    again = await changes.set_client("shop", SMS | {"zone": "Europe/Lisbon"})
    assert [(one["added"], one["before"], one["version"]) for one in (first, second, again)] == [
        (True, 0, 1),
        (True, 1, 2),
        (False, 2, 2),
    ]
    assert second["replaced"] == SMS
    versions = await store.client_versions("shop")
    assert [(one["version"], one["document"], one["actor"]) for one in versions] == [
        (2, SMS | {"zone": "Europe/Lisbon"}, "cli:ana"),
        (1, SMS, "cli:ana"),
    ]
    assert [one["version"] for one in await store.client_versions("shop", before=2, limit=1)] == [1]
    client = await Clients(store, settings(OLD)).client("shop")
    assert (client.version, client.zone) == (2, "Europe/Lisbon")
    assert [(one["client_id"], one["version"], one["accounts"]) for one in await store.clients()] == [("shop", 2, 1)]


async def test_of_many_at_once_each_is_a_version_of_its_own(changes: Changes) -> None:
    """None is lost, and none fails."""
    await changes.set_account("shop", "twilio", TWILIO)
    rows = await asyncio.gather(*(changes.set_client("shop", SMS | {"expiresAfter": n}) for n in range(1, 21)))
    assert sorted(one["version"] for one in rows) == list(range(1, 21))
    assert all(one["before"] == one["version"] - 1 for one in rows)


async def test_of_many_that_change_the_same_version_one_does(changes: Changes, store: EventStore) -> None:
    """The others get the number of the current version."""
    await changes.set_account("shop", "twilio", TWILIO)
    rows = await asyncio.gather(*(changes.set_client("shop", SMS | {"expiresAfter": n}, 0) for n in range(1, 11)))
    assert [one["version"] for one in rows] == [1] * 10
    assert sum(one["added"] for one in rows) == 1
    assert len(await store.client_versions("shop")) == 1


async def test_a_configuration_names_accounts_that_are_there(changes: Changes) -> None:
    """One that is not, or that does not send by the channel, is refused with its place; nothing is written."""
    await changes.set_account("shop", "twilio", TWILIO)
    for document, words in (
        ({"channels": [{"channel": "sms", "account": "twillio"}]}, "did you mean twilio?"),
        ({"channels": [{"channel": "email", "account": "twilio"}]}, "twilio does not send email; it sends sms"),
    ):
        with pytest.raises(SchemaError) as raised:
            await changes.set_client("shop", document)
        assert raised.value.path == "$.channels[0].account"
        assert words in raised.value.message
    with pytest.raises(SchemaError):
        await changes.set_client("other", SMS)
    await changes.set_client("shop", {"channels": [{"channel": "sms", "account": "gateway"}]})
    assert [one["version"] for one in await changes.store.client_versions("shop")] == [1]


async def test_an_account_is_the_clients_own_else_that_of_the_settings(changes: Changes, store: EventStore) -> None:
    """Its own wins over a source of that name; another client has neither."""
    clients = Clients(store, settings(OLD), ttl=0)
    shop = await clients.client("shop")
    assert [(one.channel, one.account) for one in shop.routes] == [("sms", "gateway")]
    operators = await clients.account(shop, "gateway")
    assert (operators.values["password"], operators.trusted, operators.source) == (("operators",), True, "gateway")
    await changes.set_account("shop", "gateway", TWILIO)
    own = await clients.account(shop, "gateway")
    assert (own.adapter.name, own.values["auth_token"], own.trusted) == ("twilio", ("hidden-token",), False)
    await changes.set_account("other", "twilio", TWILIO)
    await changes.set_client("other", SMS)
    other = await clients.client("other")
    assert (await clients.account(other, "twilio")).values == own.values
    with pytest.raises(UnknownAccount):
        await clients.account(other, "gateway")
    with pytest.raises(UnknownClient):
        await clients.client("nobody")


async def test_secrets_are_ciphertext_in_the_database(changes: Changes, postgres_dsn: Dsns) -> None:
    """No row of any of the tables has the secret in it, nor what was replaced or removed."""
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    replaced = {"adapter": "twilio", "settings": {"auth_token": "other-hidden-token"}}
    await changes.set_account("shop", "twilio", replaced)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        for table in ("clients", "accounts", "audit"):
            rows = await (await db.execute(f"SELECT t::text FROM threadline.{table} AS t")).fetchall()
            assert rows
            assert "hidden-token" not in str(rows) and b"hidden-token".hex() not in str(rows)
            assert base64.b64encode(b"hidden-token").decode() not in str(rows)


async def test_every_change_is_audited(changes: Changes, store: EventStore) -> None:
    """Who, what, of which client; an account's settings by name alone. What changed nothing leaves nothing."""
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    await changes.set_client("shop", SMS)
    with pytest.raises(InUse, match="sms"):
        await changes.remove_account("shop", "twilio")
    await changes.set_client("shop", {"channels": [{"channel": "sms", "account": "gateway"}]})
    assert await changes.remove_account("shop", "twilio")
    assert not await changes.remove_account("shop", "twilio")
    listed = [(one["actor"], one["action"], one["subject"]) for one in reversed(await store.audit("shop"))]
    assert listed == [
        ("cli:ana", "account.set", "twilio"),
        ("cli:ana", "client.set", "shop"),
        ("cli:ana", "client.set", "shop"),
        ("cli:ana", "account.removed", "twilio"),
    ]
    first = (await store.audit("shop"))[-1]["detail"]
    assert first["settings"] == ["account_sid", "auth_token"]
    assert first["version"] == 1 and first["adapter"] == "twilio"
    assert await store.audit("other") == []


@pytest.mark.parametrize(
    "act",
    ["UPDATE clients SET actor = 'x'", "DELETE FROM clients", "UPDATE audit SET actor = 'x'", "DELETE FROM audit"],
)
async def test_history_and_audit_are_append_only_for_the_service(postgres_dsn: Dsns, act: str) -> None:
    """Whoever has the service's password cannot undo what was written down."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        await db.execute("SET search_path = threadline")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await db.execute(act)


async def test_the_reader_sees_no_ciphertext(postgres_dsn: Dsns) -> None:
    """It may read what accounts there are, not what is sealed in them."""
    query = "SELECT has_column_privilege('threadline_reader', 'threadline.accounts', %s, 'SELECT')"
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        seen = [(await (await db.execute(query, (column,))).fetchone()) for column in ("sealed", "adapter")]
    assert seen == [(False,), (True,)]


async def test_a_change_is_seen_once_the_answer_is_old(changes: Changes, store: EventStore) -> None:
    """Until then the store is not asked; whoever made the change himself can have it forgotten."""
    clients, eager = Clients(store, settings(OLD), ttl=3600), Clients(store, settings(OLD), ttl=0)
    assert (await clients.client("shop")).version == (await eager.client("shop")).version == 0
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    assert ((await clients.client("shop")).version, (await eager.client("shop")).version) == (0, 1)
    clients.forget("shop")
    assert (await clients.client("shop")).version == 1


async def test_many_who_ask_at_once_cost_one_query(
    changes: Changes, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the client, and for its account."""
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    asked: list[str] = []
    run = EventStore._run

    async def counted(self: EventStore, name: str, *given: Any) -> Any:
        asked.append(name)
        return await run(self, name, *given)

    monkeypatch.setattr(EventStore, "_run", counted)
    clients = Clients(store, settings(OLD), ttl=3600)

    async def send() -> None:
        await clients.account(await clients.client("shop"), "twilio")

    await asyncio.gather(*(send() for _ in range(100)))
    assert asked == ["client", "account"]


async def test_keys_are_rotated(changes: Changes, store: EventStore) -> None:
    """With the new key in front all opens; once resealed, the old key may go; without it before, nothing opens."""
    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    both = Changes(store, settings(NEW, OLD), "cli:ana")
    shop = await Clients(store, settings(NEW, OLD)).client("shop")
    assert (await Clients(store, settings(NEW, OLD)).account(shop, "twilio")).values["account_sid"] == ("AC1",)
    for keys in ((NEW,), ()):
        with pytest.raises(LockedAccount):
            await Clients(store, settings(*keys)).account(shop, "twilio")
    assert (await both.reseal(), await both.reseal()) == (1, 0)
    assert (await Clients(store, settings(NEW)).account(shop, "twilio")).values["auth_token"] == ("hidden-token",)
    assert (await store.audit("shop"))[0]["action"] == "account.resealed"


async def test_without_a_key_no_account_is_set(store: EventStore) -> None:
    """The error says what to do, and nothing is written."""
    with pytest.raises(NoKey, match="openssl rand"):
        await Changes(store, settings(), "cli:ana").set_account("shop", "twilio", TWILIO)
    assert await store.accounts("shop") == []


async def test_a_configuration_that_fits_no_more_is_no_client(store: EventStore) -> None:
    """What an older version of this program wrote, and this one does not know, is reported and not guessed."""
    await store.set_client("shop", SMS | {"carrier": "pigeon"}, "cli:ana")
    with pytest.raises(UnknownClient, match=r"version 1 of client shop .*\$\.carrier"):
        await Clients(store, settings(OLD)).client("shop")


async def test_doctor_tells_what_does_not_open_or_fit(changes: Changes, store: EventStore, postgres_dsn: Dsns) -> None:
    """An account whose key is gone, a configuration of another version; with all in order, a word on each."""

    async def listed(*keys: str) -> list[tuple[str, str]]:
        asked = settings(*keys).model_copy(update={"postgres": Postgres(dsn=SecretStr(postgres_dsn.service))})
        return [(one.what, one.state) async for one in client_checks.clients(asked)]

    await changes.set_account("shop", "twilio", TWILIO)
    await changes.set_client("shop", SMS)
    account, all_of_them = ("Client shop, account twilio", "look"), ("Clients", "ok")
    assert await listed(OLD) == await listed(NEW, OLD) == [account, all_of_them]
    assert await listed(NEW) == [("Client shop", "wrong"), all_of_them]
    assert await listed() == [("Client shop", "wrong"), all_of_them]
    await store.set_client("bank", SMS | {"carrier": "pigeon"}, "cli:ana")
    assert await listed(OLD) == [account, ("Client bank", "wrong"), all_of_them]


@pytest.mark.parametrize("client_id", ["", " shop", "a/b", "a\x00b", "a\x1fb", "x" * 129])
async def test_a_clients_id_is_plain(changes: Changes, client_id: str) -> None:
    """It stands in paths and in what is sealed."""
    with pytest.raises(SchemaError, match="client's id"):
        await changes.set_account(client_id, "twilio", TWILIO)


async def test_changed_sources_are_sent_by_at_once(store: EventStore) -> None:
    """What a process remembers of the clients and accounts that sources make is forgotten with the sources."""
    clients = Clients(store, settings(), ttl=600)
    shop = await clients.client("shop")
    assert shop.routes[0].account == "gateway"
    assert (await clients.account(shop, "gateway")).values["password"] == ("operators",)
    rotated = Source.model_validate(GATEWAY | {"password": "rotated"})
    clients.use(Settings(sources={"other": Source.model_validate(GATEWAY), "gateway": rotated}))
    assert (await clients.client("shop")).routes[0].account == "other"
    assert (await clients.account(shop, "gateway")).values["password"] == ("rotated",)
    clients.use(Settings())
    with pytest.raises(UnknownClient):
        await clients.client("shop")
    with pytest.raises(UnknownAccount):
        await clients.account(shop, "gateway")
