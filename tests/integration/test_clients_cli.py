"""`threadline clients` on a real database: what it prints, and what it leaves behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.clients.accounts import opened
from app.clients.configured import Clients
from app.keys import seal_of
from app.settings import Secrets, Settings
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import Ran, command, on_store
from tests.support.keys import KEY, SEAL

SMS: dict[str, Any] = {"channels": [{"channel": "sms", "account": "twilio"}]}
SEED = """
[clients.shop]
zone = "Europe/Lisbon"
channels = [{ channel = "sms", account = "twilio" }, { channel = "email", account = "mail" }]
holidays = ["2026-12-25"]

[clients.shop.accounts.twilio]
adapter = "twilio"
settings = { account_sid = "AC1", auth_token = "@token" }

[clients.shop.accounts.mail]
adapter = "smtp"
trusted = true
settings = { host = "mail.internal", password = "env:MAIL_PASSWORD" }

[clients.bank]
channels = [{ channel = "sms", account = "twilio" }]

[clients.bank.accounts.twilio]
adapter = "twilio"
settings = { account_sid = "AC2", auth_token = ["new-hidden", "old-hidden"] }
"""


class Line:
    """A command line on one database, with a key of its own."""

    def __init__(self, dsn: str, data: Path) -> None:
        self.data, self.key = data, KEY
        self.environment = on_store(dsn, data) | {
            "THREADLINE_SECRETS__KEYS": orjson.dumps([self.key]).decode(),
            "THREADLINE_SOURCES__GATEWAY__ADAPTER": "jasmin",
            "THREADLINE_SOURCES__GATEWAY__CLIENT": "kiosk",
            "MAIL_PASSWORD": "hidden-password",
        }

    async def __call__(self, *arguments: str, given: str = "", **environment: str) -> Ran:
        """Run `threadline clients …` as a person would, with this on standard input."""
        return await command("clients", *arguments, given=given.encode(), environment=self.environment | environment)

    @property
    def settings(self) -> Settings:
        """With the same key."""
        return Settings(data=self.data, secrets=Secrets(keys=[SecretStr(self.key)]))

    def clients(self, store: EventStore) -> Clients:
        """What sending reads."""
        return Clients(store, self.settings)


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as found:
        yield found


@pytest.fixture
def line(postgres_dsn: Dsns, tmp_path: Path) -> Line:
    """The command line on that database."""
    return Line(postgres_dsn.service, tmp_path)


async def test_a_client_is_made_shown_and_changed(line: Line, store: EventStore) -> None:
    """An account whose secret comes from standard input, a configuration, another; and all of it shown, no secret."""
    account = ("account", "shop", "twilio", "--adapter", "twilio", "--set", "account_sid=AC1", "--secret", "auth_token")
    made = await line(*account, given="hidden-token\n")
    assert (made.code, "account_sid, auth_token" in made.err) == (0, True)
    assert "unchanged" in (await line(*account, given="hidden-token\n")).err
    first = await line("set", "shop", "--file", "-", given=orjson.dumps(SMS).decode())
    assert first.code == 0 and "version 1" in first.err
    toml = 'channels = [{channel = "sms", account = "twilio", rate = 5}]\nholidays = [2026-12-25]\n'
    changed = await line("set", "shop", "--file", "-", given=toml)
    assert changed.out.splitlines() == ["+ $.channels[0].rate: 5", '+ $.holidays: ["2026-12-25"]']
    again = await line("set", "shop", "--file", "-", given=toml)
    assert (again.code, again.out) == (0, "") and "already" in again.err

    shown = await line("show", "shop", "--history")
    assert shown.code == 0
    for reported in (
        "version 2",
        "account_sid=AC1",
        "auth_token",
        "cli:",
        "account.set",
        "Version 1",
        "$.channels[0].rate",
    ):
        assert reported in shown.out
    document = orjson.loads((await line("show", "shop", "--json")).out)
    assert document == {"channels": [SMS["channels"][0] | {"rate": 5}], "holidays": ["2026-12-25"]}
    listed = await line("list")
    assert "shop" in listed.out and "kiosk" in listed.out
    for ran in (made, shown, listed):
        assert "hidden-token" not in ran.out + ran.err

    client = await line.clients(store).client("shop")
    account_ = await line.clients(store).account(client, "twilio")
    assert (account_.values["auth_token"], account_.trusted) == (("hidden-token",), False)
    assert all(one["actor"].startswith("cli:") for one in await store.audit("shop"))


async def test_secrets_are_not_taken_from_the_command_line(line: Line, store: EventStore, tmp_path: Path) -> None:
    """They come from a file, the environment or a prompt; what was typed instead is refused and not repeated."""
    account = ("account", "shop", "twilio", "--adapter", "twilio")
    for typed in (("--set", "auth_token=typed"), ("--secret", "auth_token=typed")):
        refused = await line(*account, *typed)
        assert refused.code == 2 and "typed" not in refused.err and "@FILE" in refused.err
    assert await store.accounts() == []
    (tmp_path / "old").write_text("from-file\n")
    both = ("--secret", "auth_token=env:TOKEN", "--secret", f"auth_token=@{tmp_path / 'old'}", "--trusted")
    assert (await line(*account, *both, TOKEN="from-variable")).code == 0
    (row,) = await store.accounts("shop")
    account_ = opened(row, seal_of(line.settings))
    assert (account_.values["auth_token"], account_.trusted) == (("from-variable", "from-file"), True)
    for missing in ("auth_token=env:NOT_THERE", "auth_token=@not_there", "auth_token"):
        assert (await line(*account, "--secret", missing)).code == 2


async def test_mistakes_are_reported_with_their_place(line: Line, store: EventStore, tmp_path: Path) -> None:
    """A path in the document, an adapter that is nearly one, a client that is none, a file that cannot be read, no key."""
    (tmp_path / "bad.toml").write_text("channels = [{channel = 'fax', account = 'x'}]")
    fax = await line("set", "shop", "--file", str(tmp_path / "bad.toml"))
    assert fax.code == 2 and "$.channels[0].channel: must be one of" in fax.err
    none = await line("set", "shop", "--file", "-", given=orjson.dumps(SMS).decode())
    assert none.code == 2 and "$.channels[0].account" in none.err
    near = await line("account", "shop", "x", "--adapter", "twillio")
    assert near.code == 2 and "did you mean twilio?" in near.err
    assert (await line("set", "shop", "--file", "none.json")).code == 2
    assert (await line("show", "nobody")).code == 1
    assert (await line("remove-account", "shop", "twilio")).code == 1
    keyless = await line("account", "shop", "t", "--adapter", "twilio", THREADLINE_SECRETS__KEYS="[]")
    assert keyless.code == 1 and "openssl rand" in keyless.err
    assert await store.clients() == []


async def test_an_account_in_use_stays(line: Line) -> None:
    """The error names the channel that uses it; once none does it is gone."""
    await line("account", "shop", "twilio", "--adapter", "twilio", "--set", "account_sid=AC1")
    await line("account", "shop", "spare", "--adapter", "twilio", "--set", "account_sid=AC2")
    await line("set", "shop", "--file", "-", given=orjson.dumps(SMS).decode())
    kept = await line("remove-account", "shop", "twilio")
    assert kept.code == 1 and "sms of client shop goes by the account twilio" in kept.err
    spare = {"channels": [{"channel": "sms", "account": "spare"}]}
    await line("set", "shop", "--file", "-", given=orjson.dumps(spare).decode())
    assert (await line("remove-account", "shop", "twilio")).code == 0
    assert "AC1" not in (await line("show", "shop")).out


async def test_a_seed_is_applied_and_again_changes_nothing(line: Line, store: EventStore, tmp_path: Path) -> None:
    """Clients and accounts with their secrets from beside the file and from the environment; then no version more."""
    file = tmp_path / "clients.toml"
    file.write_text(SEED)
    (tmp_path / "token").write_text("hidden-token\n")
    first = await line("seed", str(file))
    assert first.code == 0, first.err
    assert "shop: account twilio added" in first.out and "bank: + $.channels" in first.out
    assert "hidden" not in first.out + first.err
    again = await line("seed", str(file))
    assert (again.code, again.out) == (0, "")
    assert [(one["client_id"], one["version"], one["accounts"]) for one in await store.clients()] == [
        ("bank", 1, 1),
        ("shop", 1, 2),
    ]
    assert {one["version"] for one in await store.accounts()} == {1}
    clients = line.clients(store)
    shop, bank = await clients.client("shop"), await clients.client("bank")
    mail = await clients.account(shop, "mail")
    assert (mail.values["password"], mail.trusted) == (("hidden-password",), True)
    assert (await clients.account(shop, "twilio")).values["auth_token"] == ("hidden-token",)
    assert (await clients.account(bank, "twilio")).values["auth_token"] == ("new-hidden", "old-hidden")

    file.write_text(SEED.replace("AC2", "AC3").replace("2026-12-25", "2026-12-26"))
    changed = await line("seed", str(file))
    assert changed.out.splitlines() == [
        'shop: ~ $.holidays[0]: "2026-12-25" → "2026-12-26"',
        "bank: account twilio changed",
    ]


WRONG = """
[clients.shop]
zone = "Mars"
channels = [{ channel = "sms", account = "twilio" }, { channel = "email", account = "gone" }]
windows.sms = { mon-fri = ["9-20"] }

[clients.shop.accounts.twilio]
adapter = "twillio"
settings = { auth_token = "env:NOT_THERE" }

[clients.bank]
colour = "blue"
channels = [{ channel = "fax", account = "x" }]

[clients.bank.accounts.mail]
adapter = "smtp"
settings = { hoste = "mail.example.com" }

[clients.stall]
accounts = 7
"""


async def test_a_seed_is_told_all_that_is_wrong_with_it(line: Line, store: EventStore, tmp_path: Path) -> None:
    """A line for each fault of any client, with its path in the file; an account that cannot be read is none that is missing."""
    file = tmp_path / "clients.toml"
    file.write_text(WRONG)
    ran = await line("seed", str(file))
    assert ran.code == 2
    assert {one.partition(": ")[0] for one in ran.err.splitlines()} == {
        "$.clients.shop.zone", "$.clients.shop.channels[1].account", "$.clients.shop.windows.sms.mon-fri[0]",
        "$.clients.shop.accounts.twilio.adapter", "$.clients.shop.accounts.twilio.settings.auth_token",
        "$.clients.bank.colour", "$.clients.bank.channels[0].channel", "$.clients.bank.channels[0].account",
        "$.clients.bank.accounts.mail.settings['hoste']", "$.clients.stall.accounts",
    }  # fmt: skip
    assert await store.accounts() == await store.clients() == []
    many_unknown = "".join(f"k{n} = 1\n" for n in range(40))
    file.write_text(f'[clients.shop]\nchannels = [{{channel = "sms", account = "none"}}]\n{many_unknown}')
    many = await line("seed", str(file))
    assert (many.code, len(many.err.splitlines()), many.err.splitlines()[-1]) == (2, 21, "and 21 more")


FAULTS = [
    ('carrier = "pigeon"\n[clients.shop]', "[clients.ID]"),
    ("[clients.shop]\nchannels = []", "$.clients.shop.channels: has fewer"),
    ('[clients.shop.accounts.x]\nadapter = "twilio"', "$.clients.shop.accounts.x"),
    (
        '[clients.shop.accounts.x]\nadapter = "twilio"\nsettings = {sid = "1"}',
        "$.clients.shop.accounts.x.settings['sid']",
    ),
    ('[clients.shop.accounts.x]\nadapter = "twilio"\ntrusted = "yes"\nsettings = {}', "accounts.x.trusted"),
    ('[clients.shop.accounts.x]\nadapter = "twilio"\nsettings = {auth_token = "env:NOT_THERE"}', "NOT_THERE"),
    ("[clients]\nshop = 1", "$.clients.shop: must be a table"),
    ("[clients.shop]\naccounts = 1", "$.clients.shop.accounts"),
]


async def test_a_seed_with_a_fault_changes_nothing(line: Line, store: EventStore, tmp_path: Path) -> None:
    """Whatever stands before the fault; the place is given as it is in the file."""
    good = '[clients.first.accounts.twilio]\nadapter = "twilio"\nsettings = {account_sid = "AC1"}\n'
    files = [tmp_path / f"{number}.toml" for number in range(len(FAULTS))]
    for file, (fault, _) in zip(files, FAULTS, strict=True):
        file.write_text(f"{fault}\n{good}" if fault.startswith("carrier") else f"{good}{fault}\n")
    for ran, (fault, words) in zip(
        await asyncio.gather(*(line("seed", str(one)) for one in files)), FAULTS, strict=True
    ):
        assert (ran.code, words in ran.err) == (2, True), (fault, ran.err)
    assert await store.accounts() == await store.clients() == []
