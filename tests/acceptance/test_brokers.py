"""Threadline on three brokers: each is killed under load, then two are away at once."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.acceptance.loading import Load, loaded_sources, note
from tests.support.clustered import Clustered
from tests.support.waiting import eventually


async def test_each_broker_is_killed_then_two(open_folder: Path) -> None:
    """Each of three brokers is killed with SIGKILL under load and comes back: nothing that was acknowledged is lost, doubled
    or sent twice. With two of three away the door spools, still answers 200, and says so; its spool drains once they are
    back. Neither door nor worker is started again by anybody."""
    async with (
        loaded_sources(seed=31, sends=300) as (moody, sources),
        Clustered(open_folder / "stack", sources, brokers=True, api={"metrics": "open"}) as stack,
        httpx.AsyncClient(verify=False) as client,
    ):
        started = await asyncio.gather(stack.start("serve"), stack.start("work"))
        pids = [child.pid for child in started]
        async with Load(stack, moody, sends=300, seed=31) as load:
            await asyncio.sleep(5)
            left = set(stack.brokers)
            while left:
                leads = await stack.leads()
                victim = max(left, key=lambda node: leads[node])
                left.remove(victim)
                await stack.kill_broker(victim)
                await asyncio.sleep(12)
                await stack.brokers[victim].start()
                await stack.in_sync()

            async def door() -> dict[str, object]:
                return dict((await client.get(f"{stack.url}/readyz")).json())

            await eventually(door, lambda page: page["status"] == "ok", within=60)
            one_away = await load.paused(datetime.now(UTC))
            one, two, _ = stack.brokers
            before = len(load.provider.acknowledged)
            await asyncio.gather(stack.kill_broker(one), stack.kill_broker(two))
            page = await eventually(door, lambda page: page["kafka"] == "away", within=60)
            assert page["status"] == "degraded"
            await asyncio.sleep(10)
            assert len(load.provider.acknowledged) > before
            spooled = await eventually(door, lambda page: page["spool"]["records"], within=30)  # type: ignore[index]
            began = time.monotonic()
            await asyncio.gather(stack.brokers[one].start(), stack.brokers[two].start())
            await eventually(door, lambda page: page["status"] == "ok", within=120)
            drained = time.monotonic() - began
            figures = await load.end()
        assert [child.pid for child in stack.children.values() if child.alive] == pids
    note(
        "three brokers",
        figures
        | {
            "longest between two commits, one broker away": one_away,
            "spooled": spooled["spool"],
            "drained after": round(drained, 1),
        },
    )
