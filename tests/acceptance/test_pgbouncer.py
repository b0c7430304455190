"""A real PgBouncer in transaction mode between the processes and PostgreSQL: a session is another's after each transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer

from app.embedded import ports
from app.embedded.account import SystemAccount, choose
from app.embedded.cluster import give
from app.embedded.process import Child
from app.kafka import client_args
from sql import EventStore
from sql.statements import statement
from sql.tenants import acting
from tests.acceptance.programs import program
from tests.integration.serving import event
from tests.support import traffic
from tests.support.keys import SEAL
from tests.support.stack import Stack
from tests.support.waiting import eventually

HOW = "version 1.21 or newer, which knows prepared statements (https://www.pgbouncer.org/install.html)"
#: As docs/database.md has it. Two connections to the server, so that they change hands all the time.
CONFIGURATION = """
[databases]
threadline = host=127.0.0.1 port={server} dbname=threadline connect_query='{session}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
max_prepared_statements = 500
logfile =
"""


@asynccontextmanager
async def pooler(stack: Stack, folder: Path) -> AsyncIterator[str]:
    """Run PgBouncer before the stack's server; yield the DSN that leads through it."""
    found, port, account = program("pgbouncer", HOW), ports.free(), choose(folder)
    server = urlsplit(stack.postgres.dsn("service"))
    file = configured(folder, server, port, account)
    child = Child("PgBouncer", [found, str(file)], folder.with_suffix(".log"), account=account)
    child.start()
    dsn = f"postgresql://{server.username}:{server.password}@127.0.0.1:{port}/threadline"
    try:

        async def answers() -> bool:
            assert child.alive, child.how_it_ended()
            return await asyncio.to_thread(ports.answers, port)

        await eventually(answers)
        yield dsn
    finally:
        await child.stop()


def configured(folder: Path, server: SplitResult, port: int, account: SystemAccount | None) -> Path:
    """Write the pooler's files for its account, and return the configuration."""
    folder.mkdir(mode=0o755)
    users, file = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    session = " ".join(statement("session").decode().split()).replace("'", "''")
    file.write_text(CONFIGURATION.format(server=server.port, port=port, users=users, session=session))
    for each in (users, file):
        each.chmod(0o600)
        give(each, account)
    return file


async def test_the_whole_through_a_pooler_in_transaction_mode(servers_folder: Path) -> None:
    """Webhook, timeline, sending, log and callers of two clients at once: all statements prepared, two sessions for all, and
    nothing of a caller is left in them; only what needs a session of its own reaches the server directly."""
    async with (
        Stack(servers_folder / "pooled") as stack,
        pooler(stack, servers_folder / "pooler") as dsn,
    ):
        pooled = {"THREADLINE_POSTGRES__DSN": dsn, "THREADLINE_POSTGRES__DIRECT_DSN": stack.dsn("service")}
        token = await stack.key("timeline:read", "personal:read", "messages:read", "messages:write")
        await asyncio.gather(stack.start("serve", **pooled), stack.start("work", **pooled))
        form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557001234", "MessageSid": "SM" + "b" * 32}
        post = traffic.twilio({**form, "MessageStatus": "delivered"})
        consumer = AIOKafkaConsumer(
            "events.recorded", auto_offset_reset="earliest", **client_args(stack.settings.kafka)
        )
        await consumer.start()
        async with httpx.AsyncClient(base_url=stack.url, timeout=30) as http:
            http.headers["authorization"] = f"Bearer {token}"
            assert (await http.post("/webhooks/aggregate", content=post.body, headers=post.headers)).status_code == 200

            async def found() -> httpx.Response:
                return await http.get("/api/customers", params={"handle": form["To"]})

            customer = (await eventually(found, lambda answer: answer.status_code == 200)).json()["customerId"]
            pages = await asyncio.gather(*(http.get(f"/api/customers/{customer}/interactions") for _ in range(100)))
            assert {page.json()["interactions"][0]["delivery"] for page in pages} == {"delivered"}
        recorded = await asyncio.wait_for(consumer.getone(), 60)  # the relay holds its lock, in a session of its own
        assert b"MessageDelivered" in recorded.value or b"message.delivered" in recorded.value
        await consumer.stop()
        await two_clients(dsn)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            rows = [await (await connection.execute(LEFT)).fetchone() for _ in range(20)]
            assert set(rows) == {("threadline_service", None, "threadline", "off")}
        locks = await stack.rows(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
            "WHERE l.locktype = 'advisory' AND a.application_name LIKE '%pgbouncer%'"
        )
        assert locks == [(0,)]


#: What a session has of those that had it before.
LEFT = """SELECT current_user::text, nullif(current_setting('threadline.clients', true), ''),
    current_setting('search_path'), current_setting('enable_seqscan')"""


async def two_clients(dsn: str) -> None:
    """Let callers of two clients read at once, and see nothing but their own."""
    async with await EventStore.open(dsn, SEAL, pool=8) as store:
        for client in ("one", "two"):
            rows = [(event("MessageReceived", f"{client}-{n}", n), client, datetime.now(UTC), None) for n in range(20)]
            await store.append(rows)
        customers = {
            client: (await store.customer_of(client, "phone", "+15551234567"))[0]["customer_id"]
            for client in ("one", "two")
        }

        async def read(caller: str, whose: str) -> int:
            with acting((caller,)):
                return len(await store.timeline(whose, customers[whose]))

        asked = [(caller, whose) for _ in range(50) for caller in ("one", "two") for whose in ("one", "two")]
        counts = await asyncio.gather(*(read(caller, whose) for caller, whose in asked))
        assert all(
            count == (20 if caller == whose else 0) for (caller, whose), count in zip(asked, counts, strict=True)
        )
