"""What test_partition.py runs in a network namespace of its own: `python -m tests.acceptance.partitions FOLDER`."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from operator import ne
from pathlib import Path

import httpx

from tests.acceptance.loading import Load, loaded_sources, note
from tests.support.clustered import Clustered
from tests.support.waiting import eventually

#: Seconds for which each is cut off.
CUT = 60
EVENTS = "SELECT count(*) FROM threadline.events"
#: Drops what comes to and from these ports without a word, as a cut network does.
DROP = "table inet cut {{ chain incoming {{ type filter hook input priority 0; tcp dport {{ {0} }} drop; tcp sport {{ {0} }} drop; }}; }}"


@contextmanager
def dropped(*ports: int) -> Iterator[None]:
    """Drop all packets of these ports."""
    rules = DROP.format(", ".join(map(str, ports)))
    subprocess.run(["nft", "--file", "-"], input=rules, text=True, timeout=20, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "cut"], timeout=20, check=True)


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """Halt a process, whose connections stay open, and let it go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Clustered, Load]]:
    """A stack on three brokers under load. Its worker does not end itself while it is cut off from the database."""
    async with (
        loaded_sources(seed=36, sends=0) as (moody, sources),
        Clustered(folder, sources, brokers=True, api={"metrics": "open"}, worker={"stall_after": 4 * CUT}) as stack,
    ):
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        async with Load(stack, moody, sends=0, seed=36) as load:
            await asyncio.sleep(5)
            yield stack, load


async def run(folder: Path) -> None:
    """Cut off Kafka, PostgreSQL, then one broker, each for CUT seconds; count. Raises AssertionError."""
    async with running(folder) as (stack, load), httpx.AsyncClient(verify=False) as client:
        pids = {name: child.pid for name, child in stack.children.items()}

        async def pages() -> list[str]:
            answers = [await client.get(f"http://127.0.0.1:{port}/readyz") for port in (stack.door, stack.worker)]
            return [str(answer.json()["status"]) for answer in answers]

        healed: dict[str, float] = {}
        clients = [int(each.bootstrap.split(":")[1]) for each in stack.brokers.values()]
        leader = max((await stack.leads()).items(), key=lambda found: found[1])[0]
        for what, cut in (
            ("Kafka", dropped(*clients)),
            ("PostgreSQL", dropped(stack.postgres.port)),
            ("one broker", halted(stack.brokers[leader].child.pid)),
        ):
            acknowledged = len(load.provider.acknowledged)
            with cut:
                await asyncio.sleep(CUT)
            assert len(load.provider.acknowledged) > acknowledged, f"nothing was acknowledged without {what}"
            began = time.monotonic()
            await eventually(pages, lambda found: found == ["ok", "ok"], within=180)
            healed[f"whole again after {what}"] = round(time.monotonic() - began, 1)
            before = await stack.rows(EVENTS)
            await eventually(partial(stack.rows, EVENTS), partial(ne, before), within=180)
            healed[f"worker commits after {what}"] = round(time.monotonic() - began, 1)
        figures = await load.end()
        assert {name: child.pid for name, child in stack.children.items() if child.alive} == pids
    note("partitions", figures | healed)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
