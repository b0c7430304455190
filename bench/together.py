"""Everything at once on the same cores: load generator, door, Kafka (syncing each batch), worker, PostgreSQL.

Distinct webhooks are offered at a steady rate; at a rate that is carried, the webhooks stored keep up with those
acknowledged, so that the lag at the end is what is on its way, and no more.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx

from bench import load, traffic
from bench.stack import Stack

#: Seconds' worth of webhooks that may be on their way at the end.
ON_THE_WAY = 1.0


async def stored(client: httpx.AsyncClient, stack: Stack) -> float:
    """Webhooks whose events are committed, as the worker counts them."""
    page = (await client.get(f"http://127.0.0.1:{stack.worker}/metrics")).text
    return next(float(x.split()[1]) for x in page.splitlines() if x.startswith("threadline_worker_records_total "))


async def offer(stack: Stack, rate: int, seconds: int, seed: int) -> dict[str, Any]:
    """Offer `rate` webhooks/s: {"offered", "acknowledged", "stored" (both per second), "behind" (webhooks, at each
    fifth), "carried"}."""
    file = stack.folder / "requests.bin"
    host = f"127.0.0.1:{stack.door}"
    load.write(file, (post.raw(host) for post in traffic.posts(rate * seconds, seed=seed)))
    async with httpx.AsyncClient() as client:
        before, began = await stored(client, stack), time.perf_counter()
        loading = asyncio.create_task(
            load.start(stack.door, file, seconds=seconds * 2, connections=64, once=True, rate=rate)
        )
        points = []
        while not loading.done():
            await asyncio.wait([loading], timeout=seconds / 5)
            points.append((time.perf_counter() - began, await stored(client, stack) - before))
        result = await loading
        took, done = points[-1]
        if set(result.statuses) != {"200"} or result.broken:
            raise RuntimeError(f"not all were acknowledged: {result}")
        deadline = time.perf_counter() + 60
        while await stored(client, stack) - before < result.answered and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        total = await stored(client, stack) - before
    behind = [round(min(at, result.seconds) * result.per_second - done) for at, done in points]
    return {
        "offered": rate,
        "acknowledged": result.per_second,
        "stored": done / took,
        "p99": result.p99,
        "behind": behind,
        "lost": result.answered - total,
        "carried": result.per_second >= 0.97 * rate and result.answered - done <= ON_THE_WAY * rate,
    }


async def measure(
    folder: Path, seconds: int = 60, rates: tuple[int, ...] = (5000, 6000, 7000, 8000)
) -> list[dict[str, Any]]:
    """The first rate for the whole time, each further one for a quarter of it, until one is not carried."""
    found: list[dict[str, Any]] = []
    async with Stack(folder) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        await offer(stack, 2000, 5, seed=99)  # untold: caches, plans and the broker's compiler warm up
        for number, rate in enumerate(rates):
            found.append(await offer(stack, rate, seconds if number == 0 else max(5, seconds // 4), seed=number))
            if not found[-1]["carried"]:
                break
    return found
