"""Migrations: from nothing, again, edited, ahead, and who may not."""

import asyncio
import os
import re
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from app.cli.doctor.servers import postgres as doctor
from app.embedded.postgres import Postgres
from app.settings import Settings
from schemas.events import Event
from sql import DeadLetter, EventStore
from sql.handles import CONTEXT, ROOT
from sql.keyed_ids import IdKey
from sql.migrate import OLDEST, MigrationError, migrate, pending
from sql.statements import migrations
from tests.conftest import Dsns
from tests.integration.command_line import command
from tests.support.keys import SEAL
from tests.support.letters import whole_letters


async def test_migrations_from_empty_and_twice(postgres: Postgres) -> None:
    """An empty database gets all, in order; the second time nothing is left; the service can work with it."""
    await postgres.execute("copy_database", name="empty", template="template1")
    try:
        owner = postgres.dsn("owner", "empty")
        assert await pending(owner) == list(migrations())
        assert await migrate(owner) == list(migrations())
        assert await migrate(owner) == []
        assert await pending(postgres.dsn("service", "empty")) == []
        async with await EventStore.open(postgres.dsn("service", "empty"), SEAL, pool=1) as store:
            await store.append([], [b"raw"])
    finally:
        await postgres.execute("drop_database", name="empty")


async def test_an_edited_migration_is_refused(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, before anything is done."""
    edited = {**migrations(), "0001_events": b"SELECT 1"}
    monkeypatch.setattr("sql.migrate.migrations", lambda: edited)
    with pytest.raises(MigrationError, match="0001_events"):
        await migrate(postgres_dsn.owner)


async def test_a_database_ahead_is_refused(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older version does not work on a newer database."""
    older = dict(list(migrations().items())[:-1])
    monkeypatch.setattr("sql.migrate.migrations", lambda: older)
    with pytest.raises(MigrationError, match="upgrade"):
        await migrate(postgres_dsn.owner)


async def test_a_migration_that_fails_leaves_nothing(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one transaction: what it did before it failed is undone, and it is named."""
    more = {**migrations(), "9999_broken": b"CREATE TABLE half (); SELECT nothing"}
    monkeypatch.setattr("sql.migrate.migrations", lambda: more)
    with pytest.raises(MigrationError, match="9999_broken"):
        await migrate(postgres_dsn.owner)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        row = await (await db.execute("SELECT to_regclass('threadline.half')")).fetchone()

    assert row == (None,)


async def test_dead_letters_of_items_become_one_a_record(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier version kept once an item is kept once a record, with the first of its items, and a redelivery adds
    nothing; a letter of a whole record stays as it was."""
    everything = migrations()
    before = {name: text for name, text in everything.items() if name < "0014"}
    await postgres.execute("copy_database", name="letters", template="template1")
    try:
        owner = postgres.dsn("owner", "letters")
        with monkeypatch.context() as patch:
            patch.setattr("sql.migrate.migrations", lambda: before)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            await db.execute(
                'INSERT INTO threadline.dead_letters (id, topic, partition, "offset", ordinal, reason, detail, value) '
                "SELECT md5(o || '-' || n)::uuid, 't', 0, o, n, 'bad ' || n, '{\"x\": 1}', 'the value' "
                "FROM (SELECT 7 AS o, generate_series(0, 49) AS n UNION ALL SELECT 8, 0) AS old"
            )
        assert await migrate(owner) == [name for name in everything if name not in before]
        async with await EventStore.open(postgres.dsn("service", "letters"), SEAL, pool=1) as store:
            again = [DeadLetter("t", 0, offset, "again", value=b"the value") for offset in (7, 8)]
            await store.append([], [], again)
            whole, listed = sorted(await whole_letters(store), key=lambda row: int(row["offset"]), reverse=True)
    finally:
        await postgres.execute("drop_database", name="letters")
    assert (listed["bad"], listed["reason"], listed["value"], listed["size"]) == (50, "bad 0", b"the value", 9)
    assert [item["reason"] for item in listed["items"]] == [f"bad {n}" for n in range(20)]
    assert listed["digest"] == sha256(b"the value").hexdigest()
    assert (whole["bad"], whole["items"], whole["detail"], whole["reason"]) == (1, [], {"x": 1}, "bad 0")


async def test_events_are_moved_into_their_months(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of before 0034 keeps its events and their order, each in its month; a redelivery finds them, one that says more is
    joined to the first, and the next position is beyond theirs. (From 0040 on no such log is carried over.)"""
    everything = {name: text for name, text in migrations().items() if name < "0040"}
    before = {name: text for name, text in everything.items() if name < "0034"}
    pepper, root = bytes(32), bytes(range(32))
    ids = [IdKey(root).digest(str(n)) for n in range(1, 5)]
    await postgres.execute("copy_database", name="months", template="template1")
    try:
        owner = postgres.dsn("owner", "months")
        with monkeypatch.context() as patch:
            patch.setattr("sql.migrate.migrations", lambda: before)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner, autocommit=True) as db:
            await db.execute("SET search_path = threadline")
            await db.execute(
                "INSERT INTO peppers (client_id, sealed, root) VALUES ('default', %s, %s)",
                [SEAL.seal(pepper, CONTEXT.format("default")), SEAL.seal(root, ROOT.format("default"))],
            )
            await db.execute(
                "INSERT INTO events (id, type, client_id, source, source_event_id, received_at, recorded_at, payload) "
                "SELECT event_id('default', 'crm', id), 'ProviderEventReceived', 'default', 'crm', id, "
                "'2026-05-01', '2026-05-31 22:00+00'::timestamptz + make_interval(hours => n::int), jsonb_build_object('segments', n) "
                "FROM unnest(%s::text[]) WITH ORDINALITY AS o (id, n)",
                [ids],
            )
            log = "SELECT to_jsonb(e) FROM threadline.events e ORDER BY xid, position"
            old = await (await db.execute(log)).fetchall()
            with monkeypatch.context() as patch:
                patch.setattr("sql.migrate.migrations", lambda: everything)
                assert (await migrate(owner))[-1] == list(everything)[-1]
            assert await (await db.execute(log)).fetchall() == old
            placed = "SELECT tableoid::regclass::text, count(*) FROM threadline.events GROUP BY 1 ORDER BY 1"
            assert await (await db.execute(placed)).fetchall() == [("events_202605", 1), ("events_202606", 3)]
            # What an append calls of later migrations: a column and a function.
            await db.execute(migrations()["0049_shared_messages"].partition(b"CREATE INDEX")[0])
            async with await EventStore.open(postgres.dsn("service", "months"), SEAL, pool=1) as store:
                again = [Event("ProviderEventReceived", "crm", str(n), payload={"segments": n}) for n in range(1, 6)]
                at = datetime(2026, 5, 1, tzinfo=UTC)
                assert (await store.append([(event, "default", at, str(uuid4())) for event in again])).appended == 1
                more = Event("ProviderEventReceived", "crm", "1", payload={"segments": 1, "more": True})
                assert (await store.append([(more, "default", at, str(uuid4()))])).appended == 1
            joined = "SELECT count(*) FROM threadline.events WHERE identity = event_id('default', 'crm', %s)"
            assert await (await db.execute(joined, ids[:1])).fetchall() == [(1,)]
            positions = "SELECT array_agg(position ORDER BY position) FROM threadline.events"
            (found,) = (await (await db.execute(positions)).fetchall())[0]
            assert len(set(found)) == 6 and found[:4] == [row[0]["position"] for row in old]
    finally:
        await postgres.execute("drop_database", name="months")


async def test_the_service_may_not_migrate(postgres: Postgres) -> None:
    """The error says what an administrator has to do."""
    await postgres.execute("copy_database", name="barred", template="template1")
    try:
        with pytest.raises(MigrationError, match=r"0000_roles.*threadline_owner"):
            await migrate(postgres.dsn("service", "barred"))
    finally:
        await postgres.execute("drop_database", name="barred")


async def test_the_command_needs_nothing_but_the_owners_uri(postgres: Postgres) -> None:
    """`threadline migrate` names what it applied; again, it says that nothing is left. Kafka need not be configured."""
    await postgres.execute("copy_database", name="commanded", template="template1")
    environment = {**os.environ, "THREADLINE_POSTGRES__OWNER_DSN": postgres.dsn("owner", "commanded")}
    command = (sys.executable, "-m", "app.cli", "migrate")
    output = []
    try:
        for _ in range(2):
            child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
            out, _none = await child.communicate()
            assert child.returncode == 0
            output.append(out.decode().splitlines())
    finally:
        await postgres.execute("drop_database", name="commanded")

    assert output == [[f"applied {name}" for name in migrations()], ["The database is up to date."]]


async def test_an_old_server_is_refused_with_what_to_do(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lacks what the migrations use is named by its release, before a statement fails on it."""
    monkeypatch.setattr("sql.migrate.OLDEST", 99)
    with pytest.raises(MigrationError, match="is release 18; Threadline needs 99"):
        await migrate(postgres_dsn.owner)


async def test_keys_that_exist_go_on_to_see_personal_data(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose scopes or roles read some get the new scope; those that read none, and revoked ones, do not."""
    before = {name: sql for name, sql in migrations().items() if name < "0039"}
    keys = {
        "bff": (["timeline:read"], [], False),
        "operator": ([], ["operator"], False),
        "clerk": ([], ["clerk"], False),
        "relay": (["webhooks:write"], [], False),
        "gone": (["timeline:read"], [], True),
    }
    await postgres.execute("copy_database", name="upgraded", template="template1")
    try:
        owner = postgres.dsn("owner", "upgraded")
        with monkeypatch.context() as older:
            older.setattr("sql.migrate.migrations", lambda: before)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            for name, (scopes, roles, revoked) in keys.items():
                await db.execute(
                    "INSERT INTO threadline.api_keys (id, name, client_id, scopes, roles, hash, revoked_at) "
                    "SELECT gen_random_uuid(), %s, 'shop', %s, %s, '', CASE WHEN %s THEN now() END",
                    (name, scopes, roles, revoked),
                )
        await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            cursor = await db.execute("SELECT name, scopes FROM threadline.api_keys")
            found = {name: scopes for name, scopes in await cursor.fetchall() if "personal:read" in scopes}
        assert found == {"bff": ["timeline:read", "personal:read"], "operator": ["personal:read"]}
    finally:
        await postgres.execute("drop_database", name="upgraded")


async def test_who_could_hold_by_the_scope_of_erasure_goes_on_to(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and sessions that have `customers:erase` get `customers:hold`; no others do, nor do revoked keys, nor those whose role has it."""
    before = {name: sql for name, sql in migrations().items() if name < "0046"}
    keys = {
        "eraser": (["customers:erase", "timeline:read"], [], False),
        "officer": ([], ["privacy-officer"], False),
        "bff": (["timeline:read"], [], False),
        "gone": (["customers:erase"], [], True),
    }
    await postgres.execute("copy_database", name="holding", template="template1")
    try:
        owner = postgres.dsn("owner", "holding")
        with monkeypatch.context() as older:
            older.setattr("sql.migrate.migrations", lambda: before)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            for name, (scopes, roles, revoked) in keys.items():
                await db.execute(
                    "INSERT INTO threadline.api_keys (id, name, client_id, scopes, roles, hash, revoked_at) "
                    "SELECT gen_random_uuid(), %s, 'shop', %s, %s, '', CASE WHEN %s THEN now() END",
                    (name, scopes, roles, revoked),
                )
                await db.execute(
                    "INSERT INTO threadline.sessions (id, hash, issuer, subject, holder, clients, scopes) "
                    "SELECT gen_random_uuid(), decode(md5(%s), 'hex'), 'i', %s, %s, '{shop}', %s",
                    (name, name, name, scopes),
                )
        await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            held = "SELECT name FROM threadline.api_keys WHERE 'customers:hold' = ANY (scopes)"
            assert await (await db.execute(held)).fetchall() == [("eraser",)]
            held = "SELECT subject FROM threadline.sessions WHERE 'customers:hold' = ANY (scopes) ORDER BY 1"
            assert await (await db.execute(held)).fetchall() == [("eraser",), ("gone",)]
    finally:
        await postgres.execute("drop_database", name="holding")


async def test_an_old_server_is_named_to_who_asks_what_is_missing(
    postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that `threadline doctor` says it, and not that a migration is missing that cannot be applied."""
    monkeypatch.setattr("sql.migrate.OLDEST", 99)
    with pytest.raises(MigrationError, match="is release 18; Threadline needs 99"):
        await pending(postgres_dsn.service)
    found = [one async for one in doctor(Settings.model_validate({"postgres": {"dsn": postgres_dsn.service}}))]
    assert "Threadline needs 99 or newer" in found[-1].found and found[-1].state == "wrong"


def test_the_pages_name_the_oldest_server() -> None:
    """Wherever one is named."""
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *root.glob("docs/*.md"), *root.glob("deploy/**/*.md")]
    named = {page.name: re.findall(r"PostgreSQL \(?(\d+) or newer", page.read_text("utf-8")) for page in pages}
    assert {release for found in named.values() for release in found} == {str(OLDEST)}
    assert len([name for name, found in named.items() if found]) >= 3


@pytest.mark.parametrize(
    ("before", "row", "says"),
    [
        (
            "0032",
            "INSERT INTO threadline.handles (client_id, kind, digest, value) VALUES ('shop', 'phone', '', '+1')",
            "0032_sealing: this database has data of an unreleased version",
        ),
    ],
)
async def test_data_that_cannot_be_carried_over_is_refused(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, before: str, row: LiteralString, says: str
) -> None:
    """`threadline migrate` says in two sentences why and what to do, and leaves the database as it was; an empty database of the
    same version is migrated."""
    older = {name: text for name, text in migrations().items() if name < before}
    await postgres.execute("copy_database", name="older", template="template1")
    owner = postgres.dsn("owner", "older")
    try:
        with monkeypatch.context() as patch:
            patch.setattr("sql.migrate.migrations", lambda: older)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            await db.execute(row)
        wide = {"THREADLINE_POSTGRES__OWNER_DSN": owner, "COLUMNS": "1000"}
        ran = await command("migrate", environment=wide)
        kept = await pending(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            await db.execute("TRUNCATE threadline.events, threadline.handles CASCADE")
        await migrate(owner)
        left = await pending(owner)
    finally:
        await postgres.execute("drop_database", name="older")
    assert ran.code == 1 and ran.err.startswith(f"Not migrated: {says}")
    assert "Begin with an empty database. For threadline up: move the data folder (.threadline) away" in ran.err
    assert "CONTEXT" not in ran.err and len(ran.err.splitlines()) == 1
    assert kept[0].startswith(before) and left == []
