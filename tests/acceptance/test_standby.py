"""Threadline on a PostgreSQL with a synchronous standby: the primary is killed under load, and the standby promoted."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import psycopg

from app.cli.doctor.standby import standby
from tests.acceptance.loading import Load, loaded_sources, note
from tests.support.clustered import Clustered
from tests.support.waiting import eventually


async def test_primary_is_killed_and_the_standby_promoted(open_folder: Path) -> None:
    """The primary is killed with SIGKILL under load. Both processes say that PostgreSQL is away, and webhooks are still
    answered 200. Once the standby is promoted, both go over to it by themselves: nothing that was acknowledged is lost,
    doubled or sent twice, and commits wait for no standby that is not there."""
    async with (
        loaded_sources(seed=32, sends=150) as (moody, sources),
        Clustered(open_folder / "stack", sources, standby=True, api={"metrics": "open"}) as stack,
        httpx.AsyncClient(verify=False) as client,
    ):
        started = await asyncio.gather(stack.start("serve"), stack.start("work"))
        pids = [child.pid for child in started]

        async def page(port: int) -> tuple[int, dict[str, Any]]:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
            return answer.status_code, answer.json()

        async with Load(stack, moody, sends=150, seed=32) as load:
            await eventually(lambda: page(stack.worker), lambda found: found[0] == 200, within=60)
            await asyncio.sleep(10)
            began, before = time.monotonic(), len(load.provider.acknowledged)
            os.kill(stack.postgres.child.pid, signal.SIGKILL)
            await stack.postgres.child.wait()
            await eventually(lambda: page(stack.worker), lambda found: found[0] == 503, within=30)
            status, said = await eventually(
                lambda: page(stack.door), lambda found: found[1]["postgres"] != "ok", within=30
            )
            assert (status, said["status"]) == (200, "degraded")
            await asyncio.sleep(3)
            assert len(load.provider.acknowledged) > before
            await stack.promote()
            promoted = time.monotonic()
            await eventually(lambda: page(stack.worker), lambda found: found[0] == 200, within=60)
            await eventually(lambda: page(stack.door), lambda found: found[1]["status"] == "ok", within=60)
            over = time.monotonic()
            await asyncio.sleep(10)
            figures = await load.end()
        assert [child.pid for child in stack.children.values() if child.alive] == pids
        await _names_left_over(stack)
    note("standby", figures | {"promoted after": round(promoted - began, 1), "went over in": round(over - promoted, 1)})


async def _names_left_over(stack: Clustered) -> None:
    """`doctor` names the trap: a promoted standby that has the names of the primary's standbys still."""
    settings = stack.settings
    assert [found async for found in standby(settings)] == []
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("superuser"), autocommit=True) as db:
        await db.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (standby)'")
        await db.execute("SELECT pg_reload_conf()")

        async def found() -> list[Any]:
            return [each async for each in standby(settings)]

        (wrong,) = await eventually(found)
        assert (wrong.state, "no standby is connected" in wrong.found) == ("wrong", True)
