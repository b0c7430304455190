"""Every command that reads the database on one that is empty, and on one with long values: clear words that fit 80 columns."""

from pathlib import Path
from uuid import UUID

import pytest

from app.http.tokens import mint
from schemas.events import Handle
from sql import Deciding, EventStore
from tests.conftest import Dsns
from tests.integration.command_line import Ran, command, on_store
from tests.integration.test_customers import message
from tests.integration.test_unreachable import ADDRESS, ALONE, ARGUMENTS, EVERY, GOING_ON, ID
from tests.support.keys import SEAL

#: Commands that do not read the database, or need more than it.
OTHERS = {"send", "messages", "login", "topics", "restored", "explain", "simulate", "new-provider", "doctor", "archive"}
READING = [path for path in EVERY if path not in ALONE | GOING_ON and path.split()[0] not in OTHERS]


def wide(ran: Ran) -> list[str]:
    """The lines that are wider than the terminal though they could be wrapped: more than one word on them, and no JSON, whose
    lines are to be copied."""
    lines = (ran.out + ran.err).splitlines()
    return [line for line in lines if len(line) > 80 and len(line.split()) > 1 and not line.lstrip().startswith('"')]


@pytest.fixture
def environment(postgres_dsn: Dsns, tmp_path: Path) -> dict[str, str]:
    """The database, and the files that commands read."""
    (tmp_path / "client.json").write_text('{"channels": [{"channel": "sms", "account": "twilio"}]}')
    (tmp_path / "seed.toml").write_text('[clients.shop]\nchannels = [{ channel = "sms", account = "twilio" }]\n')
    owner = {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner, "COLUMNS": "80", "HOME": str(tmp_path)}
    return on_store(postgres_dsn.service, tmp_path) | owner


async def test_each_command_says_what_is_not_there(environment: dict[str, str], tmp_path: Path) -> None:
    """Of an empty database: a result, an error or that there is none, in lines that fit, and no exception."""
    for path in READING:
        given = [one.format(folder=tmp_path) for one in ARGUMENTS.get(path, ())]
        ran = await command(*path.split(), *given, environment=environment)
        assert ran.code in (0, 1, 2) and (ran.out + ran.err).strip(), (path, ran)
        assert not wide(ran), (path, wide(ran))


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (f"customers merge {ID} +1555", 2, "Nothing was changed"),
        (f"customers split {ID} nobody", 1, "has no customer"),
        (f"customers show {ID}", 1, "has no customer"),
        ("erasure list", 0, "There was no erasure"),
        ("clients list", 0, "There are no clients"),
        ("clients show shop", 1, "There is no client shop"),
        (f"dead-letters show {ID}", 1, "There is no dead letter"),
        (f"keys revoke {ID}", 1, "no"),
    ],
)
async def test_unknown_names_are_told(environment: dict[str, str], line: str, code: int, words: str) -> None:
    """With the exit code of what it is: misuse, or nothing there."""
    ran = await command(*line.split(), environment=environment)
    assert (ran.code, words in ran.out + ran.err) == (code, True), ran


#: As long as they may be, or nearly.
LONG, MAIL = "n" * 64, f"{'a' * 60}@{'b' * 50}.example.com"


async def test_long_values_fit_the_terminal(postgres_dsn: Dsns, environment: dict[str, str], tmp_path: Path) -> None:
    """Long ids of clients, names of keys and accounts, and addresses, in each list that shows them; an API key has its name."""
    id, _, hash = mint()
    other = Handle("email", f"other-{MAIL}")
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.create_api_key(id, LONG, "default", ["timeline:read"], hash)
        await store.append([*message(1, Handle("email", MAIL), other), *message(2, Handle("phone", ADDRESS))])
        (one,), (two,) = [await store.customer_of("default", *each) for each in (("email", MAIL), ("phone", ADDRESS))]
        by = Deciding("operator", f"key:{id}", "they are one person, as the shop was told by telephone on two days")
        await store.merge_customers("default", UUID(str(one["customer_id"])), UUID(str(two["customer_id"])), by)
    (tmp_path / "client.json").write_text('{"channels": [{"channel": "sms", "account": "' + LONG + '"}]}')
    lines: tuple[tuple[str, ...], ...] = (
        ("clients", "account", "c" * 64, LONG, "--adapter", "twilio", "--set", "account_sid=AC1"),
        ("clients", "set", "c" * 64, "--file", str(tmp_path / "client.json")),
        ("clients", "list"),
        ("customers", "show", MAIL),
        ("recipients", "opt-out", MAIL),
        ("recipients", "show", MAIL),
        ("customers", "merge", MAIL, ADDRESS, "--preview"),
        ("customers", "erase", MAIL, "--reason", "asked for it by letter", "--yes"),
        ("erasure", "list"),
        ("audit", "list"),
        ("keys", "list"),
        ("callbacks", "list"),
        ("timeline", ADDRESS),
        ("clients", "show", "c" * 64, "--history"),
        ("erasure", "list", "--client", "c" * 64),
        ("clients", "show", "d" * 128),
        ("customers", "show", ADDRESS, "--client", "d" * 64),
    )
    shown = {}
    for line in lines:
        shown[line[:2]] = ran = await command(*line, environment=environment)
        assert not wide(ran), (line, wide(ran))
        if line[:3] == ("customers", "show", MAIL):
            assert LONG in ran.out and str(id) in ran.out, ran
    assert "c" * 64 in shown["clients", "list"].out
