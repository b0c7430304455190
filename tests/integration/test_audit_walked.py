"""Every route and every command against the audit: what shows or changes something has its entry, and no entry has a value."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest_asyncio

from app.http.scopes import SCOPES
from app.http.tokens import id_of
from schemas.events import Handle
from sql.audited import ACTIONS
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.serving import ANA, Served
from tests.integration.test_dead_letters_api import letter as dead
from tests.integration.test_masked import DATA, MAIL, STREAM, requested, served
from tests.integration.test_permits import paths_of
from tests.integration.test_unreachable import ALONE, ARGUMENTS, EVERY, GOING_ON

__all__ = ["served"]

#: The routes that leave no entry when they succeed, and why none is owed.
WITHOUT = {
    # Nobody's personal data: configuration without secrets, states, counts and ids.
    "GET /v1/clients": "configuration",
    "GET /v1/clients/{id}": "configuration",
    "GET /v1/clients/{id}/versions": "configuration",
    "GET /v1/clients/{id}/accounts": "configuration",
    "GET /v1/callback": "states of deliveries, by ids",
    "GET /v1/callback/deliveries": "states of deliveries, by ids",
    "GET /v1/dead-letters/groups": "reasons in their general form, and counts",
    "GET /v1/erasures": "ids, and who asked for what",
    "GET /v1/erasures/{id}": "ids, and who asked for what",
    "GET /v1/sessions": "names of people who work here, as the audit has them",
    # In the log as events, with who asked for it.
    "POST /v1/messages": "MessageRequested",
    "POST /v1/{channel}/messages": "MessageRequested",
    # Nothing was found to be cancelled or released.
    "POST /v1/messages/cancel": "nothing was changed",
    "POST /v1/messages/release": "nothing was changed",
}
ENTRIES = "SELECT to_jsonb(a) - 'at' - 'position' FROM threadline.audit AS a WHERE position > %s ORDER BY position"
LAST = "SELECT coalesce(max(position), 0) FROM threadline.audit"


class Log:
    """The entries of a database, read as they come."""

    def __init__(self, db: psycopg.AsyncConnection[Any]) -> None:
        self._db, self._after = db, 0

    async def new(self) -> list[dict[str, Any]]:
        """Return the entries since the last call."""
        found = await (await self._db.execute(ENTRIES, [self._after])).fetchall()
        self._after = (await (await self._db.execute(LAST)).fetchall())[0][0]
        return [entry for (entry,) in found]


@pytest_asyncio.fixture
async def log(postgres_dsn: Dsns) -> AsyncIterator[Log]:
    """The entries of the test's database."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        yield Log(db)


def valued(entries: list[dict[str, Any]]) -> set[str]:
    """Return what is personal in entries."""
    text = json.dumps(entries, ensure_ascii=False)
    return {one for one in DATA if one in text or one.removeprefix("+") in text}


async def test_every_route_leaves_an_entry_or_owes_none(served: Served, log: Log) -> None:
    """Each route that succeeds, by a key with all scopes: one with an action of the list, who, and by which request; none has an address,
    a name or a text. Each that is refused for want of a key is counted."""
    paths, whole = await paths_of(served), await served.key(*SCOPES)
    merge = {"customerId": str(await served.customer(Handle("phone", "+15551234568"))), "preview": True}
    id = id_of(whole)
    without, done = set(), 0
    for name, path in paths.items():
        if name == STREAM:
            continue
        await served.api.audit.finish()
        await log.new()
        answer = await requested(served, name, path, whole, {"POST /v1/customers/{id}/merge": merge})
        await served.api.audit.finish()
        entries = await log.new()
        assert not valued(entries), (name, entries)
        if not answer.is_success:
            continue
        done += 1
        without |= set() if entries else {name}
        for entry in entries:
            assert entry["action"] in ACTIONS and entry["actor"] == "key:test", (name, entry)
            assert entry["key_id"] == str(id) and entry["request_id"], (name, entry)
    assert without <= WITHOUT.keys() and done > 30, without - WITHOUT.keys()
    for path in paths.values():
        await served.http.get(path, headers={"authorization": ""})
    await served.api.audit.finish()
    (counted,) = await log.new()
    assert counted["action"] == "access.refused" and counted["detail"]["status"] == 401


async def test_a_message_that_is_named_by_the_key_of_its_request_is_noted_by_its_id(served: Served, log: Log) -> None:
    """Such a key may be an address, which would stand in the audit for ever."""
    body = {"channel": "sms", "to": ANA.value, "body": "a quagga", "idempotencyKey": MAIL.value}
    made = (await served.http.post("/v1/messages", json=body)).json()["messageId"]
    await served.api.audit.finish()
    await log.new()
    for path in (f"/v1/messages/{MAIL.value}", f"/v1/messages/{MAIL.value}/explain"):
        assert (await served.http.get(path)).status_code == 200
    assert (await served.http.post(f"/v1/messages/{MAIL.value}/cancel")).status_code == 200
    await served.api.audit.finish()
    entries = await log.new()
    assert {(entry["action"], entry["subject"]) for entry in entries} == {
        ("message.read", made),
        ("message.cancel", made),
    }
    assert not valued(entries)


#: Commands that are tried with what is there, in place of the arguments by which they find nothing.
GIVEN = {
    "customers erase": (MAIL.value, "--reason", "asked", "--yes"),
    "customers merge": ("{customer}", "{other}", "--preview"),
    "customers split": ("{customer}", MAIL.value, "--preview"),
    "customers unlink": ("{customer}", MAIL.value, "--from", "2026-03-03", "--preview"),
    "customers show": ("{customer}",),
    "customers find": (MAIL.value,),
    "customers export": ("{customer}", "--output", "{folder}/out.zip"),
    "customers hold": ("{customer}", "--reason", "a test", "--until", "2030-01-01"),
    "customers unhold": ("{customer}",),
    "timeline": (MAIL.value,),
    "dead-letters show": ("{letter}",),
}
#: Commands that call the API, or need more than the database.
BESIDE = {"send", "messages", "login", "topics", "restored", "simulate", "new-provider", "doctor", "archive", "migrate"}
#: Commands that change something with an entry.
CHANGING = {
    "customers hold": "customer.hold",
    "customers unhold": "customer.unhold",
    "customers erase": "customer.erase",
    "customers export": "customer.export",
    "recipients opt-out": "consent.set",
    "recipients opt-in": "consent.set",
    "recipients zone": "recipient.set",
    "clients account": "account.set",
    "keys create": "key.create",
    "dead-letters discard": "dead_letter.discard",
}


async def test_every_command_that_shows_personal_data_leaves_an_entry(
    served: Served, log: Log, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Each command that reads the database, on one with data: where its output has an address or a text that was not given to it, there
    is an entry; and no entry has one."""
    (tmp_path / "client.json").write_text('{"channels": [{"channel": "sms", "account": "twilio"}]}')
    (tmp_path / "seed.toml").write_text('[clients.other]\nchannels = [{ channel = "sms", account = "twilio" }]\n')
    owner = {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner, "HOME": str(tmp_path)}
    environment = on_store(postgres_dsn.service, tmp_path) | owner
    customer, other = await served.customer(), await served.customer(Handle("phone", "+15551234568"))
    (letter,) = await served.store.dead_letters()
    known = {"folder": tmp_path, "customer": customer, "other": other, "letter": letter["id"]}
    paths = [path for path in EVERY if path not in ALONE | GOING_ON and path.split()[0] not in BESIDE]
    # What erases comes last.
    paths.sort(key=lambda path: (path.startswith("erasure"), path == "customers erase"))
    shown, changed = set(), set()
    for path in paths:
        given = [one.format(**known) for one in GIVEN.get(path, ARGUMENTS.get(path, ()))]
        if path == "dead-letters discard":
            given[0] = str(letter["id"])
        await log.new()
        ran = await command(*path.split(), *given, environment=environment)
        entries = await log.new()
        assert not valued(entries), (path, entries)
        if found := {one for one in DATA if one in ran.out + ran.err and one not in " ".join(given)}:
            shown.add(path)
            assert entries, (path, found)
            assert {entry["actor"].partition(":")[0] for entry in entries} == {"cli"}, (path, entries)
        if path in CHANGING and ran.code == 0:
            changed.add(path)
            assert CHANGING[path] in {entry["action"] for entry in entries}, (path, entries, ran)
    assert shown >= {"timeline", "customers show", "customers merge", "dead-letters list", "dead-letters show"}, shown
    assert changed == CHANGING.keys()


async def test_an_operator_who_lists_dead_letters_is_in_each_clients_audit(
    served: Served, log: Log, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """By the command, as by the API."""
    await served.store.append([], [], [dead(2, "other", value=b"x", size=1), dead(3, None, value=b"y", size=1)])
    await log.new()
    ran = await command("dead-letters", "list", environment=on_store(postgres_dsn.service, tmp_path))
    assert ran.code == 0
    entries = await log.new()
    assert [(entry["action"], entry["client_id"]) for entry in entries] == [
        ("dead_letter.read", client) for client in ("", "default", "other")
    ]
