"""What `threadline doctor` says of clients' accounts and callbacks, on a real database."""

from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from app.cli.doctor.clients import clients
from app.cli.doctor.finding import Finding
from app.clients.callbacks import ClientCallbacks
from app.clients.changes import Changes
from app.clients.configured import Clients, UnknownClient
from app.keys import seal_of
from app.settings import Postgres, Secrets, Settings, Source
from sql import EventStore
from tests.conftest import Dsns
from tests.fixtures import accounts
from tests.support.keys import KEY, SEAL

HOST = "https://hooks.example.com"


async def found(settings: Settings) -> dict[str, Finding]:
    """The findings, by their subjects."""
    return {finding.what: finding async for finding in clients(settings)}


@pytest.fixture
def settings(postgres_dsn: Dsns, tmp_path: Path) -> Settings:
    """With a key, on a fresh database."""
    return Settings(
        data=tmp_path,
        postgres=Postgres(dsn=SecretStr(postgres_dsn.service)),
        secrets=Secrets(keys=[SecretStr(KEY)]),
        sources={"texts": Source(adapter="twilio", client="old", auth_token="x")},  # type: ignore[call-arg]
    )


async def test_each_account_shows_where_its_provider_posts(settings: Settings) -> None:
    """The URL that is right, the one to set, what is missing to verify with, and that a configured source takes them."""
    full = accounts("twilio").settings | {"account_sid": "AC1"}
    bare = {name: value for name, value in full.items() if name != "auth_token"}
    async with await EventStore.open(settings.postgres.dsn.get_secret_value(), SEAL, pool=1) as store:  # type: ignore[union-attr]
        changes = Changes(store, settings, "test")
        for client, given, more in (
            ("good", full, {"url": f"{HOST}/webhooks/aggregate/good/twilio"}),
            ("none", full, {}),
            ("bare", bare, {"url": f"{HOST}/webhooks/aggregate"}),
            ("else", full, {"url": f"{HOST}/webhooks/aggregate"}),
            ("old", full, {"source": "texts"}),
        ):
            await changes.set_account(client, "twilio", {"adapter": "twilio", "settings": given} | more)
    findings = await found(settings)
    good = findings["Client good, account twilio"]
    assert (good.state, good.found) == ("ok", f"webhooks to {HOST}/webhooks/aggregate/good/twilio")
    assert "https://your.host/webhooks/aggregate/none/twilio" in (findings["Client none, account twilio"].todo or "")
    assert findings["Client bare, account twilio"].state == "wrong"
    assert f"{HOST}/webhooks/aggregate/else/twilio" in (findings["Client else, account twilio"].todo or "")
    assert (
        "texts" in findings["Client old, account twilio"].found and findings["Client old, account twilio"].state == "ok"
    )


async def test_a_callbacks_secret_that_does_not_open_is_its_clients(settings: Settings, postgres_dsn: Dsns) -> None:
    """It is named; the others' are not."""
    async with await EventStore.open(settings.postgres.dsn.get_secret_value(), SEAL, pool=1) as store:  # type: ignore[union-attr]
        callbacks = ClientCallbacks(store, Clients(store, settings, ttl=0), seal_of(settings))
        for client in ("shop", "other"):
            document = {
                "channels": [{"channel": "sms", "account": "twilio"}],
                "callback": {"url": "https://shop.example.com"},
            }
            await store.set_client(client, document, "test")
            await callbacks.of(client)
            await callbacks.secrets(client)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        await connection.execute("SET search_path = threadline")
        await connection.execute("UPDATE callback_secrets SET sealed = sealed || '\\x00' WHERE client_id = 'shop'")
    findings = await found(settings)
    assert findings["Client shop"].state == "wrong" and "does not open" in findings["Client shop"].found
    assert "Client other" not in findings


async def test_a_stored_configuration_tells_all_that_is_wrong_with_it(settings: Settings) -> None:
    """One that this version cannot read: to who asks for the client, and by `threadline doctor`."""
    document = {"channels": [{"channel": "sms", "account": "twilio"}], "zone": "Mars", "colour": "red"}
    async with await EventStore.open(settings.postgres.dsn.get_secret_value(), SEAL, pool=1) as store:  # type: ignore[union-attr]
        await store.set_client("shop", document, "test")
        with pytest.raises(UnknownClient) as caught:
            await Clients(store, settings, ttl=0).client("shop")
    told = [finding.found async for finding in clients(settings) if finding.what == "Client shop"]
    for text in (str(caught.value), *told):
        assert "version 1" in text and "$.zone: " in text and "$.colour: " in text, text
    assert len(told) == 1
