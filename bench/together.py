"""Measures everything at once on the same cores: load generator, door, Kafka (syncing each batch), worker, PostgreSQL.

Distinct webhooks, made beforehand, are offered at a steady rate, over so many connections that the rate does not depend
on the responses. A rate is carried if all of it is acknowledged, and the lag (webhooks acknowledged and not stored yet)
does not grow. The door and the worker count both, and are read at the same moments.
"""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import alone
from bench.progress import say
from tests.support import load, traffic
from tests.support.stack import Stack

CONNECTIONS = 256
#: Most seconds' worth of webhooks that may be unstored at any time, for the lag to count as steady.
ON_THE_WAY = 2.0
#: Webhooks/s offered: before anything counts, for the whole time, and for a part of it after that was carried or was
#: not.
WARM_UP, FIRST, HIGHER, LOWER = (1500, 3000, 4500), 5100, (5500, 6000, 7000, 8000), (4500, 4000, 3000, 2000)
#: Moments at which the lag is measured.
LOOKS = 12
SETTLED = 60.0


class Counters:
    """Reads the counters of the door and the worker, and the processor time of all processes."""

    def __init__(self, stack: Stack, client: httpx.AsyncClient) -> None:
        self._stack, self._client = stack, client
        self._processes = {
            "door": psutil.Process(stack.children["serve"].pid),
            "worker": psutil.Process(stack.children["work"].pid),
            "kafka": psutil.Process(stack.kafka.child.pid),
            "postgres": psutil.Process(stack.postgres.child.pid),
        }

    async def kept(self) -> float:
        """Return the number of acknowledged webhooks."""
        return await self._sum(self._stack.door, "threadline_webhooks_kept_total")

    async def stored(self) -> float:
        """Return the number of webhooks whose events are committed."""
        return await self._sum(self._stack.worker, "threadline_worker_records_total")

    async def _sum(self, port: int, name: str) -> float:
        page = (await self._client.get(f"http://127.0.0.1:{port}/metrics")).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name))

    def seconds(self) -> dict[str, float]:
        """Return the processor time of each part, with its child processes, in seconds."""
        return {name: processor_seconds(process) for name, process in self._processes.items()}


def processor_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process with its child processes, in seconds."""
    return sum(map(_seconds, [process, *process.children(recursive=True)]))


def _seconds(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


async def offer(stack: Stack, rate: int, seconds: int, seed: int) -> dict[str, Any]:
    """Offer `rate` webhooks/s. Return the webhooks acknowledged and stored a second, `lag` (webhooks, at the looks),
    `refused` and `lost` (of those acknowledged), `carried`, latencies of the door in milliseconds, and `cost`:
    microseconds of processor time per webhook. Raises RuntimeError if hardly any was acknowledged."""
    file = stack.folder / "requests.bin"
    host = f"127.0.0.1:{stack.door}"
    load.write(file, (post.raw(host) for post in traffic.posts(rate * seconds, seed=seed)))
    async with httpx.AsyncClient(timeout=30) as client:
        counters = Counters(stack, client)
        kept, stored, used = await counters.kept(), await counters.stored(), counters.seconds()
        loading = asyncio.create_task(
            load.start(stack.door, file, seconds=seconds * 2, connections=CONNECTIONS, once=True, rate=rate)
        )
        looks: list[tuple[float, float, float]] = []
        while not loading.done():
            await asyncio.wait([loading], timeout=seconds / LOOKS)
            now = time.perf_counter()
            done, acknowledged = await asyncio.gather(counters.stored(), counters.kept())
            looks.append((now, acknowledged - kept, done - stored))
        result = await loading
        accepted = result.statuses.get("200", 0)
        refused = result.answered - accepted + result.broken
        deadline = time.perf_counter() + SETTLED
        while (total := await counters.stored() - stored) < accepted and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        cost = {
            name: round((after - used[name]) / max(1, accepted) * 1e6) for name, after in counters.seconds().items()
        }
    during = [look for look in looks if 0 < look[1] < accepted]
    if len(during) < 3:
        raise RuntimeError(f"too few were acknowledged to measure a rate: {result}")
    lag = [round(acknowledged - done) for _, acknowledged, done in during]
    (first, _, begun), (last, _, ended) = during[0], during[-1]
    third = max(1, len(lag) // 3)
    steady = statistics.mean(lag[-third:]) <= statistics.mean(lag[:third]) + ON_THE_WAY / 2 * rate
    return {
        "offered": rate,
        "seconds": seconds,
        "acknowledged": round(accepted / result.seconds, 1),
        "stored": round((ended - begun) / (last - first), 1),
        "lag": lag,
        "refused": refused,
        "lost": round(accepted - total),
        "p50": result.p50,
        "p99": result.p99,
        "cost": cost,
        "carried": not refused
        and total >= accepted
        and result.per_second >= 0.97 * rate
        and max(lag[-third:]) <= ON_THE_WAY * rate
        and steady,
    }


async def measure(folder: Path, seconds: int = 60) -> list[dict[str, Any]]:
    """Offer `FIRST` for the whole time; then, for a quarter of it each, higher rates until one is not carried, or, if
    the first was not, lower ones until one is. Return the result of each."""
    found: list[dict[str, Any]] = []
    async with Stack(folder) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        say("warming up: caches, plans, the broker's compiler")
        for rate in WARM_UP:
            await offer(stack, rate, 5, seed=rate)
        further = iter(HIGHER)
        rate, time_of_it = FIRST, seconds
        while True:
            step = await offer(stack, rate, time_of_it, seed=len(found))
            found.append(step)
            say(
                f"{rate:,} offered: {step['acknowledged']:,.0f} acknowledged and {step['stored']:,.0f} stored a second, "
                f"lag {step['lag'][0]:,} … {step['lag'][-1]:,}, {'carried' if step['carried'] else 'not carried'}"
            )
            if len(found) == 1 and not step["carried"]:
                further = iter(LOWER)
            elif step["carried"] != found[0]["carried"]:
                return found
            following = next(further, None)
            if following is None:
                return found
            rate, time_of_it = following, max(10, seconds // 4)


if __name__ == "__main__":
    alone.part("together", __doc__)
