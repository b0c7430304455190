"""Backup and restore, by the commands of docs/backup.md: to a point in time with Kafka read again, and by pg_dump."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg

from app.embedded.postgres import Postgres
from sql.migrate import pending
from tests.acceptance.loading import SHOP, Load, loaded_sources, note
from tests.faults.faults import settle
from tests.faults.senders import twice
from tests.support.clustered import DURABLE, Clustered
from tests.support.opened import opened
from tests.support.replicas import base_backup, restore, tool
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

#: What must be the same in two databases, as texts.
TIMELINES = """
SELECT (to_jsonb(i) - 'last_change')::text FROM threadline.interactions AS i
WHERE client_id = 'default' ORDER BY id
"""
#: Every event by its name, and how often it is there as the first of its name. Which of two deliveries of one webhook is the
#: first depends on the order in which a worker reads the partitions, as it does without a restore.
FACTS = """
SELECT source, source_event_id, type, count(*) FILTER (WHERE identity IS NULL) FROM threadline.events
WHERE client_id = 'default' GROUP BY source, source_event_id, type ORDER BY source, source_event_id, type
"""
LOG = "SELECT to_jsonb(e)::text FROM threadline.events AS e ORDER BY id, identity"
#: Messages of the sends by id, each with its state.
MESSAGES = "SELECT message_id, state FROM threadline.messages"
#: Each interaction by the digests of its handles, with what is sealed in it in columns of its own.
SHOWN = """
SELECT own.digest AS owner, u.digest AS user, a.digest AS address, i.content, i.provider_message_id, i.failure AS error,
    to_jsonb(i) - '{id,handle_id,user_handle_id,address_handle_id,named,content,provider_message_id,failure,setback,changes,last_change}'::text[]
    AS facts
FROM interactions AS i
LEFT JOIN handles AS own ON own.id = i.handle_id
LEFT JOIN handles AS u ON u.id = i.user_handle_id
LEFT JOIN handles AS a ON a.id = i.address_handle_id
WHERE i.client_id = 'default'
"""
SENDS = 100
#: Postmark knows no repeat: what is sent to it twice, arrives twice.
KEYLESS = ("postmark", "onesignal")


async def threadline(stack: Stack, *arguments: str, within: float = 90) -> str:
    """Run a command with the stack's settings until it succeeds, since Kafka takes a worker that has just ended for a member of
    its group; return what it prints."""

    async def run() -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "app", *arguments], cwd=ROOT, env={**os.environ, **stack.environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return (await eventually(run, lambda done: done.returncode == 0, within=within)).stdout


async def archived(stack: Stack) -> None:
    """Finish the segment that is being written, and wait until it is in the archive."""
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("superuser"), autocommit=True) as db:
        await db.execute("CREATE TABLE IF NOT EXISTS public.last_write AS SELECT 1")
        row = await (await db.execute("SELECT pg_walfile_name(pg_switch_wal())")).fetchone()
        assert row is not None

        async def last() -> str:
            found = await (await db.execute("SELECT last_archived_wal FROM pg_stat_archiver")).fetchone()
            return found[0] if found and found[0] else ""

        await eventually(last, lambda name: name >= row[0], within=60)


async def shown(stack: Stack) -> list[str]:
    """Return all interactions, opened, without ids: a handle that is seen for the first time once more gets another id and key, and so
    do the interactions that are named after it and the provider's id."""
    rows = await opened(stack.dsn("service"), SHOWN)
    return sorted(orjson.dumps(row, default=bytes.hex, option=orjson.OPT_SORT_KEYS).decode() for row in rows)


async def test_restore_to_a_point_in_time_and_read_kafka_again(open_folder: Path) -> None:
    """A database that is restored to a time before its loss has, once Kafka was read again from then, the same log and the
    same timelines; and no message leaves a second time."""
    archive = open_folder / "archive"
    async with (
        loaded_sources(seed=33, sends=SENDS, providers=KEYLESS) as (moody, sources),
        Clustered(open_folder / "stack", sources, archive=archive, api={"metrics": "open"}) as stack,
    ):
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        copy = Postgres(open_folder / "restored", open_folder / "restored.log", tuning=DURABLE)
        try:
            async with Load(stack, moody, sends=SENDS, seed=33) as load:
                await asyncio.sleep(5)
                await base_backup(stack.postgres, copy)
                await asyncio.sleep(5)
                ((time,),) = await stack.rows("SELECT clock_timestamp()")
                await asyncio.sleep(10)
                figures = await load.end()
            facts, timelines = await stack.rows(FACTS), await shown(stack)
            messages = dict(await stack.rows(MESSAGES))
            await archived(stack)
            for child in stack.children.values():
                await child.stop()
            await stack.postgres.stop()

            await restore(copy, archive, time)
            stack.postgres = copy
            forgotten = len(facts) - len(await stack.rows(FACTS))
            sends_forgotten = messages.keys() - dict(await stack.rows(MESSAGES)).keys()
            assert forgotten > 0 and sends_forgotten
            lag = timedelta(minutes=10)
            print(await threadline(stack, "restored", "rewind", "--to", (time - lag).astimezone(UTC).isoformat()))
            await asyncio.gather(stack.start("serve"), stack.start("work", THREADLINE_SENDING__PAUSED="true"))
            await settle(stack)
            held = (await threadline(stack, "restored", "hold")).splitlines()
            await stack.children["work"].stop()
            await stack.start("work")
            await asyncio.sleep(10)  # longer than the sender's look for what is due
            await settle(stack)

            assert await stack.rows(FACTS) == facts
            assert await shown(stack) == timelines
            assert held
            assert sum(twice(moody).values()) == 0
            after = dict(await stack.rows(MESSAGES))
            asked_by_kafka = {f"m{number}" for number in range(SENDS // 2, SENDS)}
            assert asked_by_kafka <= after.keys()
            assert set(after.values()) <= {"sent", "unanswered"}
            await _dump(stack, open_folder)
            note("restore", figures | {
                "events forgotten, and read again": forgotten, "sends forgotten": len(sends_forgotten),
                "of these asked by HTTP, and not known again": len(messages.keys() - after.keys()),
                "held": len(held), "unanswered at the end": list(after.values()).count("unanswered"), "client": SHOP,
                "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            })  # fmt: skip
        finally:
            await copy.stop()


async def _dump(stack: Clustered, folder: Path) -> None:
    """Dump the database and restore it beside itself: it has the same log and timelines, and lacks no migration."""
    file = folder / "stack" / "postgres" / "dump"
    account, _, place = await stack.postgres.prepare()
    file = place.parent / "dump"
    file.touch()
    if account is not None:
        os.chown(file, account.uid, account.gid)
    await tool(stack.postgres, "pg_dump", "--format=custom", f"--file={file}", "--dbname=threadline")
    await stack.postgres.execute("copy_database", template="template0", name="dumped")
    await tool(stack.postgres, "pg_restore", "--exit-on-error", "--dbname=dumped", file)
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("superuser", "dumped")) as db:
        for query in (LOG, TIMELINES):
            assert await (await db.execute(query)).fetchall() == await stack.rows(query)
    assert await pending(stack.postgres.dsn("owner", "dumped")) == []
