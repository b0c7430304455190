"""Measures the time from the POST of a webhook until the read API returns it in its customer's timeline."""

import asyncio
import random
import statistics
import time
from pathlib import Path
from typing import Any

from bench import alone
from bench.progress import say
from bench.reader import Reader, at, key
from tests.support import load, traffic
from tests.support.stack import Stack

#: Seconds between two polls for one sample, at least, and the share of the time so far: who is late must not be asked so often that
#: it gets later. Seconds between two samples on average.
POLL, SHARE, REST = 0.004, 0.1, 0.03
#: Seconds of load before latencies count: a broker that has just started takes twice the processor time, until the JVM has compiled
#: what it runs most.
WARM_UP = 30


async def visible(stack: Stack, api: Reader, number: int) -> tuple[float, int]:
    """Return the seconds from the start of one POST until the API returns it, and the number of polls."""
    phone = f"+1666{number:07d}"
    form = {
        "MessageSid": f"SMv{number}", "MessageStatus": "sent", "AccountSid": "AC1", "From": "+18005550199", "To": phone,
    }  # fmt: skip
    request = traffic.twilio(form).raw(f"127.0.0.1:{stack.door}")
    path = f"/api/customers?handle=%2B{phone[1:]}"  # the handle is there with its first interaction
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.door)
    began = time.perf_counter()
    writer.write(request)
    if b" 200 " not in await reader.readline():
        raise RuntimeError("a sample was refused")
    polls = 1
    while (status := (await api.get(path))[0]) != 200:
        if status != 404:
            raise RuntimeError(f"the API answered {status}")
        if time.perf_counter() - began > 30:
            raise RuntimeError("a sample was not visible within 30 s")
        polls += 1
        await asyncio.sleep(max(POLL, SHARE * (time.perf_counter() - began)))
    took = time.perf_counter() - began
    writer.close()
    return took, polls


async def measure(folder: Path, seconds: int = 60, rate: int = 500, warm_up: int = WARM_UP) -> dict[str, Any]:
    """Return {"p50", "p99", "samples", "polls"}: milliseconds while `rate` webhooks/s come in, and mean polls a
    sample."""
    async with Stack(folder) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        api = await Reader.open(stack.door, await key(stack.postgres.dsn("service")))
        file, host = stack.folder / "requests.bin", f"127.0.0.1:{stack.door}"
        length = seconds + warm_up
        load.write(file, (post.raw(host) for post in traffic.posts(rate * length)))
        say(f"{rate} webhooks/s for {length} s, the first {warm_up} of them to warm up")
        began = time.perf_counter()
        loading = asyncio.create_task(
            load.start(stack.door, file, seconds=length * 2, connections=64, once=True, rate=rate)
        )
        taken: list[tuple[float, int]] = []
        warm = number = 0
        rng = random.Random(1)
        while not loading.done() and time.perf_counter() - began < length:
            taken.append(await visible(stack, api, number))
            number += 1
            if time.perf_counter() - began < warm_up:
                warm = number
            await asyncio.sleep(rng.uniform(0, 2 * REST))  # so that samples do not synchronise with any timer
        result = await loading
        api.writer.close()
    if set(result.statuses) != {"200"} or result.broken:
        raise RuntimeError(f"not all were acknowledged: {result}")
    times = [took for took, _ in taken[warm:]]
    polls = statistics.mean(count for _, count in taken[warm:])
    return {"p50": at(0.5, times), "p99": at(0.99, times), "samples": len(times), "polls": polls}


if __name__ == "__main__":
    alone.part("latency", __doc__)
