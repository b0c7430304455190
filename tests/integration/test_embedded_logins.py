"""The embedded server's logins: that of `threadline serve` cannot do what only a worker, the owner or the superuser may."""

from collections.abc import AsyncIterator
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from app.embedded.postgres import Postgres
from sql import EventStore
from sql.migrate import pending
from tests.conftest import Dsns
from tests.support.keys import SEAL

#: What a worker may do and the HTTP process must not, for no client in particular.
WORKERS: tuple[LiteralString, ...] = (
    "INSERT INTO events DEFAULT VALUES",
    "DELETE FROM interactions",
    "UPDATE lanes SET client_id = client_id",
    "DELETE FROM messages",
    "DELETE FROM attempts",
    "SELECT * FROM peppers",
    "SELECT * FROM callback_secrets",
    "SELECT * FROM suppressions",
    "INSERT INTO dead_letters DEFAULT VALUES",
    "INSERT INTO raw_webhooks DEFAULT VALUES",
    "INSERT INTO audit_heads DEFAULT VALUES",
    "INSERT INTO audit_anchors (sink, batch, head) VALUES ('file', 1, '')",
    "SELECT forget_audit(400, 1)",
    "SELECT ensure_event_partitions(1)",
    "SELECT remove_dead_letters('1 day', 10)",
    "UPDATE hour_keys SET destroyed_at = now()",
    "SELECT * FROM relay_cursor FOR UPDATE",
    "INSERT INTO api_keys DEFAULT VALUES",
)
#: What nobody may do but the owner, who changes the schema, or the superuser.
OWNERS: tuple[LiteralString, ...] = (
    "SET ROLE threadline_owner",
    "SET ROLE postgres",
    "DROP TABLE messages",
    "TRUNCATE messages",
    "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE more (id int)",
    "CREATE ROLE more",
    "UPDATE events SET type = 'MessageRead'",
    "DELETE FROM events",
    "DELETE FROM audit",
    "COPY audit TO PROGRAM 'true'",
    "INSERT INTO migrations (name, checksum) VALUES ('9999_more', '')",
)


@pytest_asyncio.fixture
async def logins(postgres: Postgres, postgres_dsn: Dsns) -> AsyncIterator[dict[str, str]]:
    """The connections of the door and of the worker to a database of the test's own."""
    await postgres.make_logins()
    await postgres.make_logins()  # as at every start
    database = postgres_dsn.owner.rpartition("/")[2]
    yield {role: postgres.dsn(role, database) for role in ("door", "worker")}


async def refused(dsn: str, statement: LiteralString) -> bool:
    """Whether a login may not execute a statement, which is undone where it may."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("SET search_path = threadline")
        try:
            await connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
        except psycopg.errors.IntegrityError:
            pass  # allowed, and refused as a row
        finally:
            await connection.rollback()
    return False


async def test_the_door_may_not_do_what_a_worker_may(logins: dict[str, str]) -> None:
    """Each statement is one that a worker's login may execute, so that it is the right that is missing, and not a column."""
    for statement in WORKERS:
        assert not await refused(logins["worker"], statement), f"a worker may not: {statement}"
        assert await refused(logins["door"], statement), f"the door may: {statement}"
    assert await refused(logins["door"], "SET ROLE threadline_service")
    assert await refused(logins["door"], "SET ROLE threadline_worker")


@pytest.mark.parametrize("login", ["door", "worker"])
async def test_no_login_changes_the_schema_or_the_log(logins: dict[str, str], login: str) -> None:
    """Only `threadline migrate` has the owner's password."""
    for statement in OWNERS:
        assert await refused(logins[login], statement), f"{login} may: {statement}"


@pytest.mark.parametrize("login", ["door", "worker"])
async def test_each_login_can_act_for_a_client(logins: dict[str, str], login: str) -> None:
    """By becoming the role of tenants; and it sees whether the database is migrated."""
    assert not await refused(logins[login], "SET ROLE threadline_tenant")
    assert await pending(logins[login]) == []


async def test_the_door_compares_the_ledger_of_erasures(logins: dict[str, str]) -> None:
    """At its start, with its own login; of an erasure it may read the id and the state alone."""
    assert await refused(logins["door"], "SELECT receipt FROM erasures")
    unknown = uuid4()
    async with await EventStore.open(logins["door"], SEAL, pool=1) as store:
        assert await store.erasures_unknown([unknown]) == {unknown}
