"""Tenants in the database: whoever acts for one client sees and changes nothing of another's, whatever a statement says.

Each statement that callers of the API run is run as they run it, for one client, and then again with the same parameters for
another client and for none.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, NamedTuple

import psycopg
import pytest
import pytest_asyncio
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.rows import dict_row

from sql import EventStore, Filter
from sql.errors import ERASED
from sql.pool import Connection
from sql.rebuild import rebuild
from sql.statements import QUERIES, statement
from sql.tenants import WHOLE, acting, array_literal
from tests.conftest import Dsns
from tests.support.keys import SEAL
from tests.support.tenanted import Caller, Ran, filled, recorded, told

MINE, THEIRS = "mine", "theirs"

#: Statements that callers of the API run for their own client; the tests run each. `sql.tenants.WHOLE` has those that they run as
#: the login: `api_key`, `used_api_keys` (find out who calls), `account_changes`, `last_account_change`, `use_tokens` (the door, for
#: all sources), `raw_block` (a block has webhooks of many clients: the API reads the caller's out of it), `changes_since` (one
#: reader for all streams, which passes on to each what is its customer's), `record_audit` (entries of all callers),
#: `horizon`, `log_end` (they read no table), `archived_months`, `export_files` (names of months and of their files), `hour_keys_…`, `need_hour_keys` (keys of raw
#: records of all clients), `withdrawn_right` (whether a credential is still in force), the statements of sessions (which find out who
#: calls, and name the client themselves: a session may be of several).
OWN = frozenset(
    """
    accept account accounts add_secret append append_consents applied_links ask_erasure assign_customers audit audit_callback audit_page callback callback_lock
    callback_secrets cancel cancel_messages clear client client_lock client_versions consents consents_lock consents_lowered contents customer_assignments
    customer_change customer_changes customer_changes_new customer_changes_of customer_conflicts customer_consents
    customer_interactions customer_of customers_graph customers_lock customers_lock_one cut_handles dead_letter decide_erasure
    dead_letter_groups_of_client dead_letters_of_client deliveries deliveries_lock differing disable_callback
    discard_dead_letters enable_callback end_hold erase_held held erasing erasure erasure_request erasure_requests_of_client event_of
    expire_erasure_requests export_assignments export_messages export_shared export_told
    find_handles forget_secrets handles hasten history interaction link link_lock make_handles make_peppers message
    messages_in_state messages_queued move name_keys peppers profile project project_consents recall record relate_handles release
    release_messages remember remove_account replay_dead_letters replay_ids replay_span request_erasure reseal_account
    retire_secrets salts set_account set_callback set_client set_customers set_hold set_profile splits_between supersede
    suppressed timeline unapplied_links waits writing
    """.split()
)
#: Statements of workers, of the command line and of operators who may have the dead letters of all clients, which see all.
WORKERS = frozenset(
    """
    acknowledge_gaps add_audit_anchor add_audit_head add_gap after_setback all_peppers api_keys
    audit_anchor_due audit_anchored audit_due audit_exported audit_heads audit_last_head audit_listed audit_lock audit_of_batch
    audit_state begin bury callback_outcome callbacks claim claim_deliveries claimable clients complete_erasure counts
    create_api_key dead_letter_groups dead_letters_by_id dead_letters_by_source dead_letters_count
    dead_letters_listed delivery_outcomes destroy_handles destroy_hour_keys drop_partitions due_clients due_replays
    empty_apart empty_expired
    empty_events enqueue erase_answers ensure_event_partitions ensure_partitions archive_unlock erase_answered erase_ask erase_asking erase_reached erase_beside erase_cancel erase_causes erase_dead_letters erase_detached erase_ended erase_fence erase_files erase_gone erase_holdings
    erase_archived erase_folded erase_note_parts erase_parted erase_parts erase_refold erase_relink erase_separate erase_shared erase_spare erase_told separate_events
    erase_references erase_removals erase_removed erase_swap erase_troubles erase_waits
    erase_interactions erase_lock erase_opted_out erase_opted_out_beside erase_patience erase_recipients erase_row erase_rows erase_state
    erase_values erasure_counts erasure_requests erasures erasures_due erasures_known expiring expiring_channels fence_handles forget_audit forget_deliveries
    forget_tokens gaps hold_restored holders hour_keys_by_key hour_keys_sealed keep lane_clients lane_health link_new linking_lock listen
    quiet_callback recheck_watched recipients relay_advance relay_begin relay_behind relay_lag relay_lock relay_page
    remove_audit remove_dead_letters remove_gaps remove_idempotency_keys remove_interactions remove_messages replay_erasure replay_handles replay_intervals
    replay_outcomes replays_published replays_wait reseal_hour_keys reseal_pepper resting_accounts retention_finish retention_finished
    retention_lock retention_unlock revoke_api_key rotate_api_key sealed_secrets sending_counts set_lanes settle suppress
    sweep traces unanswered_counts unpartitioned wake_deliveries
    """.split()
)
#: Statements that set up a session or a transaction, and those of the owner, for whom no policy counts.
BESIDE = frozenset(
    """
    archive_blocked archive_columns archive_files archive_months archive_note archive_session archive_statements
    archive_verified become_owner migrations_applied migrations_exist migrations_lock migrations_record
    rebuild_advance rebuild_analyze rebuild_assign rebuild_close rebuild_erase rebuild_left rebuild_linked rebuild_lock
    rebuild_parting rebuild_parts rebuild_place rebuild_progress rebuild_session rebuild_split rebuild_start rebuild_swap rebuild_tie
    rebuild_total search_table searched_tables session standbys tenant
    """.split()
)

#: What is not to be separated: nothing so far. A table with a column client_id is named here only with a reason.
WITHOUT_POLICY: dict[str, str] = {}


class Told(NamedTuple):
    """A database in which a client's caller has done everything, and the statements that it ran."""

    dsns: Dsns
    ran: list[Ran]


@pytest_asyncio.fixture
async def told_by(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Let callers of two clients do everything, and return the statements of one of them."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        for client in (THEIRS, MINE):
            await filled(store, client, 3000)
            await told(store, client)
        await Caller(store, THEIRS, postgres_dsn.owner).everything()
        for query in MANY:
            await owner_runs(postgres_dsn, query)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        with recorded(monkeypatch) as ran:
            await Caller(store, MINE, postgres_dsn.owner).everything()
    return Told(postgres_dsn, [one for one in ran if one.name in OWN])


async def owner_runs(dsns: Dsns, query: LiteralString) -> list[dict[str, Any]]:
    """Run a query as the owner, whom no policy binds."""
    async with await psycopg.AsyncConnection.connect(dsns.owner, autocommit=True, row_factory=dict_row) as connection:
        cursor = await connection.execute(query)
        return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def acting_as(dsns: Dsns, *clients: str) -> AsyncIterator[Connection]:
    """Yield a connection as the store has it, in a transaction that acts for these clients, and is undone."""
    async with await psycopg.AsyncConnection.connect(dsns.service, autocommit=True, row_factory=dict_row) as connection:
        await connection.execute(statement("session"))
        async with connection.transaction(force_rollback=True):
            await connection.execute(statement("tenant"), {"clients": array_literal(clients)})
            yield connection


def shows(rows: list[dict[str, Any]]) -> bool:
    """Return whether rows say anything: any value but none, no, zero and empty."""
    return any(value for row in rows for value in row.values())


async def test_every_query_is_listed() -> None:
    """A file under sql/queries that is in no list fails here: put it into OWN (and call it in tests/support/tenanted.py), where
    callers of the API run it, else into WORKERS, or into `sql.tenants.WHOLE` with the reason above OWN."""
    texts = {file.stem: file.read_text() for file in QUERIES.glob("*.sql")}
    parts = {name for name in texts if any(f"\\ir {name}.sql" in text for text in texts.values())}
    listed = [OWN, WORKERS, BESIDE, WHOLE]
    assert sorted(texts.keys() - parts) == sorted(name for names in listed for name in names)


async def test_no_statement_shows_another_clients_rows(told_by: Told) -> None:
    """Each statement gave something to its own client, and gives nothing to another, nor to none, and changes nothing."""
    assert {one.name for one in told_by.ran} == OWN
    idle = OWN - {one.name for one in told_by.ran if one.rows > 0}
    assert idle == set(), "these gave nothing to their own client, so that the rest of the test would say nothing"
    for clients in ((THEIRS,), ()):
        for one in told_by.ran:
            async with acting_as(told_by.dsns, *clients) as connection:
                try:
                    async with connection.transaction():
                        cursor = await connection.execute(statement(one.name), one.parameters)
                        rows = await cursor.fetchall() if cursor.description else []
                        (changed,) = await (await connection.execute(CHANGED)).fetchall()
                except psycopg.OperationalError as error:
                    if error.sqlstate != ERASED:
                        raise
                    continue  # another client's handle is as one that was erased
                except psycopg.errors.InsufficientPrivilege:
                    continue  # it would have written a row of another client
                assert changed["rows"] == 0, (one.name, clients)
                assert one.name in ANSWERS_ANYWAY or not shows(rows), (one.name, clients, rows)


#: How many rows this transaction has added, changed or removed.
CHANGED: LiteralString = (
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) AS rows FROM pg_stat_xact_user_tables"
)
#: Rows of others, so that the planner has reasons to look rows up by an index.
MANY: tuple[LiteralString, ...] = (
    """INSERT INTO threadline.dead_letters (id, topic, partition, "offset", reason, client_id, bad, items, size)
    SELECT gen_random_uuid(), 'other', 0, n, 'r', 'other ' || n % 40, 1, '[]', 0 FROM generate_series(1, 50000) AS n""",
    """INSERT INTO threadline.profiles (handle_id, client_id, zone)
    SELECT id, client_id, 'UTC' FROM threadline.handles ON CONFLICT DO NOTHING""",
    """INSERT INTO threadline.erasure_requests
        (id, client_id, customer_id, actor, party, reason, expires_at, decision, decided_at)
    SELECT gen_random_uuid(), 'other ' || n % 40, gen_random_uuid(), 'a', 'a', 'r', now(), 'expired', now()
    FROM generate_series(1, 5000) AS n""",
    "ANALYZE",
)
#: Statements whose answer says nothing of a row of another client: locks, ids that are computed, how many the given ids are, and
#: that the same event, whose id is made of the client's, is there already.
ANSWERS_ANYWAY = frozenset(
    {
        "assign_customers",
        "client_lock",
        "customers_lock",
        "customers_lock_one",
        "deliveries_lock",
        "event_of",
        "record",
        "writing",
    }
)
#: Statements that look rows up by arrays, whose operators PostgreSQL does not know to reveal nothing: a tenant's are found by client.
BY_ARRAYS = frozenset({"customer_changes_of", "customers_graph", "export_shared", "splits_between"})
#: Columns by which rows are looked up, but for the client's, which every policy adds.
LOOKED_UP = frozenset(
    "id reference handle_id customer_id digest identity interaction_id key name position timestamp xid".split()
)
TABLES: LiteralString = """
    SELECT c.relname AS name, c.relrowsecurity AS separated
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND a.attname = 'client_id' AND NOT a.attisdropped
    ORDER BY 1
"""


async def test_every_table_of_clients_is_separated(postgres_dsn: Dsns) -> None:
    """A new table with a column client_id fails here: let its migration call
    `SELECT separate_clients('TABLE', 'ROLES THAT SEE ALL ROWS')`, and grant threadline_tenant what a client's caller does with it."""
    tables = await owner_runs(postgres_dsn, TABLES)
    policies = await owner_runs(
        postgres_dsn,
        "SELECT tablename, policyname, roles::text[] AS roles, qual, with_check, permissive FROM pg_policies WHERE schemaname = 'threadline'",
    )
    own = {one["tablename"] for one in policies if one["policyname"] == "own_clients"}
    assert len(tables) > 20
    missing = [one["name"] for one in tables if not one["separated"] or one["name"] not in own]
    assert missing == sorted(WITHOUT_POLICY), "see what this test says of itself"
    for one in policies:
        if "threadline_tenant" in one["roles"]:
            assert (
                one["roles"] == ["threadline_tenant"]
                and one["permissive"] == "PERMISSIVE"
                and one["with_check"] is None
            )
            assert one["qual"] != "true"
    seen_by_tenant = await owner_runs(
        postgres_dsn,
        """SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
            AND has_table_privilege('threadline_tenant', c.oid, 'SELECT, UPDATE, DELETE')""",
    )
    # Ids, places and hashes of all events, which nothing leads from to a client.
    assert seen_by_tenant == [{"relname": "event_ids"}], (
        "a tenant reads or changes a table whose rows nothing separates"
    )


async def test_views_and_functions_act_as_who_calls_them(postgres_dsn: Dsns) -> None:
    """A view reads as its reader; a function that acts as the owner, for whom no policy counts, is none that a tenant may call."""
    views = await owner_runs(
        postgres_dsn,
        """SELECT c.relname FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('v', 'm')
            AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
            AND has_table_privilege('threadline_tenant', c.oid, 'SELECT')""",
    )
    functions = await owner_runs(
        postgres_dsn,
        """SELECT p.proname FROM pg_proc AS p
        WHERE p.pronamespace = 'threadline'::regnamespace AND p.prosecdef
            AND (has_function_privilege('threadline_tenant', p.oid, 'EXECUTE') OR has_function_privilege('threadline_http', p.oid, 'EXECUTE'))""",
    )
    assert (views, functions) == ([], [])


async def test_the_roles_have_no_way_around_the_policies(postgres_dsn: Dsns) -> None:
    """The tenant owns nothing, has no power that passes policies by, is a member of nothing, and nobody inherits from it."""
    (role,) = await owner_runs(
        postgres_dsn,
        """SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin,
            EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS owns,
            EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = r.oid) AS member,
            EXISTS (SELECT FROM pg_auth_members AS m WHERE m.roleid = r.oid AND m.inherit_option) AS inherited
        FROM pg_roles AS r WHERE rolname = 'threadline_tenant'""",
    )
    assert not any(role.values()), role


async def test_a_rebuild_keeps_the_policies(postgres_dsn: Dsns) -> None:
    """The rebuilt tables have the policies, the rights and the view of those that they replace."""
    query: LiteralString = """
        SELECT tablename, policyname, roles::text, qual FROM pg_policies WHERE schemaname = 'threadline'
        UNION ALL
        SELECT c.relname, c.relrowsecurity::text, c.relacl::text, c.reloptions::text FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'v')
        ORDER BY 1, 2, 3, 4"""
    before = await owner_runs(postgres_dsn, query)
    await rebuild(postgres_dsn.owner)
    assert await owner_runs(postgres_dsn, query) == before


async def test_the_database_finds_rows_for_a_tenant_as_for_a_worker(told_by: Told) -> None:
    """A policy is a barrier: a condition that could reveal rows is tried after it, and then finds nothing by an index. No
    statement reads a table with the policies by other than the columns by which it looks rows up without."""
    worse = []
    async with await psycopg.AsyncConnection.connect(told_by.dsns.service, autocommit=True) as connection:
        await connection.execute(statement("session"))
        for one in {each.name: each for each in told_by.ran}.values():
            if one.name in ANSWERS_ANYWAY | BY_ARRAYS:
                continue
            async with connection.transaction(force_rollback=True):
                plain = await scans(connection, one)
                await connection.execute(statement("tenant"), {"clients": array_literal((MINE,))})
                separated = await scans(connection, one)
            if lost := [each for each in separated - plain if len(each) == 1 or "all rows" in each]:
                worse.append((one.name, lost))
    assert not worse, "\n".join(map(str, worse))


async def scans(connection: psycopg.AsyncConnection[Any], ran: Ran) -> set[tuple[str, ...]]:
    """Return how the generic plan of a statement reads each table: its alias, and the columns that are looked up in an index."""
    query = PostgresQuery(Transformer(connection))
    query.convert(statement(ran.name), ran.parameters)
    types = [
        (await (await connection.execute("SELECT %s::oid::regtype::text", [oid])).fetchone() or ["text"])[0]
        for oid in query.types
    ]
    named = ", ".join("unknown" if name == "-" else name for name in types)
    await connection.execute(f"PREPARE looked{f'({named})' if named else ''} AS ".encode() + query.query)
    nothing = f"({', '.join(['NULL'] * len(types))})" if types else ""
    explained = await (await connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE looked{nothing}".encode())).fetchone()
    assert explained is not None
    await connection.execute("DEALLOCATE looked")
    found: set[tuple[str, ...]] = set()
    pending = [explained[0][0]["Plan"]]
    while pending:
        node = pending.pop()
        pending += node.get("Plans", [])
        condition = node.get("Index Cond", "")
        columns = [word for word in sorted(set(re.findall(r"[a-z_]+", condition))) if word in LOOKED_UP]
        if "Index Name" in node:
            found.add((node.get("Alias", ""), *columns))
        elif node["Node Type"] == "Seq Scan":
            found.add((node["Alias"], "all rows"))
    return found


@pytest.mark.parametrize(
    "client", ["a", 'a","mine', "mine}", "{mine}", "NULL", "", "\\", '\\"', '\\",mine', "é, ü", " mine", "mine,b"]
)
async def test_a_clients_name_names_no_other(postgres_dsn: Dsns, client: str) -> None:
    """Whatever a client is called, a transaction acts for that name alone."""
    async with acting_as(postgres_dsn, client) as connection:
        row = await (await connection.execute("SELECT threadline.acting_clients() AS clients")).fetchone()
        assert row == {"clients": [client]}
    async with acting_as(postgres_dsn) as connection:
        row = await (await connection.execute("SELECT threadline.acting_clients() AS clients")).fetchone()
        assert row == {"clients": []}


async def test_a_transaction_leaves_nothing_behind(postgres_dsn: Dsns) -> None:
    """The connection acts for nobody afterwards, as a pooler gives it to others: after a page, an error, and a change."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        query: LiteralString = (
            """SELECT current_user::text AS role, nullif(current_setting('threadline.clients', true), '') AS clients"""
        )
        for work in (store.client(MINE), store.dead_letters(Filter(client="\0")), store.set_client(MINE, {}, "test")):
            with acting((MINE,)), suppress(psycopg.DataError):
                await work
            async with store._pool.connection() as connection:
                assert await (await connection.execute(query)).fetchone() == {
                    "role": "threadline_service",
                    "clients": None,
                }
