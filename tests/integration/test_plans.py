"""What PostgreSQL decides for the statements of each webhook and message while it knows nothing of the tables, as on the first day, and
of a partition in the first minute of its month: its plans are kept until the tables are analysed."""

import itertools
import re

import psycopg
import pytest

from sql.statements import numbered, statement
from tests.conftest import Dsns

#: The statements that run again and again while webhooks come in, and that read what grows.
OFTEN = (
    "append", "append_consents", "record", "project", "relay_page", "relay_behind", "enqueue", "interaction", "timeline", "claimable",
    "find_handles", "settle",
)  # fmt: skip
#: What grows with each webhook and message.
GROWING = r"events_\w+|event_ids|interactions|handles|assignments|raw_webhooks_\w+|messages|attempts"


@pytest.mark.parametrize("name", OFTEN)
async def test_what_grows_is_looked_up_by_index(postgres_dsn: Dsns, name: str) -> None:
    """No table that grows is read whole, nor by its client alone, which is as much where there is one client."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        cursor = psycopg.AsyncRawCursor(db)
        explained = await cursor.execute(b"EXPLAIN (GENERIC_PLAN) " + numbered(statement(name)).text)
        plan = [row[0].strip() for row in await explained.fetchall()]
    wholly = [line for line in plan if re.search(rf"Seq Scan on ({GROWING})\b", line)]
    by_client = [
        line
        for line, condition in itertools.pairwise(plan)
        if re.search(rf"Scan.* (on|using \S+ on) ({GROWING})\b", line)
        and re.fullmatch(r"Index Cond: \(\(?client_id = [^ ]*\)?\)", condition)
    ]
    assert plan and not wholly and not by_client, "\n".join(plan)
