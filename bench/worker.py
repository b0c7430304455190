"""Measures the worker: webhooks/s from Kafka to committed events and timelines, beside an empty stock Faust agent on
the same topic.

Also the worker's memory (resident set) over the run: it is flat if it is no larger at the end than after a fifth.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import faust
import httpx
import psutil
import uvloop
from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from bench import alone
from bench.progress import say
from tests.support import traffic
from tests.support.stack import ROOT, Stack
from webhooks.record import Webhook, encode

TOPIC = "webhooks.received"
DONE = "threadline_worker_records_total "
#: Webhooks made and sent in one slice, and most webhooks that the stock agent reads.
SLICE, STOCK = 50_000, 100_000


def records(posts: Sequence[traffic.Post]) -> list[bytes]:
    """Return the posts as the records that the door puts on Kafka."""
    now = datetime.now(UTC)
    return [
        encode(
            Webhook(
                str(uuid.uuid4()),
                post.source,
                post.source,
                "default",
                "POST",
                traffic.URL,
                post.headers,
                now,
                True,
                post.body,
            )
        )
        for post in posts
    ]


async def fill(stack: Stack, posts: Iterator[traffic.Post]) -> None:
    """Put the posts on all partitions of the topic, a slice at a time, so that a million need little memory."""
    producer = AIOKafkaProducer(**client_args(stack.settings.kafka), max_batch_size=1 << 18)
    await producer.start()
    partitions = cycle(sorted(await producer.partitions_for(TOPIC)))
    while values := records(list(islice(posts, SLICE))):
        at, sent = 0, []
        while at < len(values):
            batch = producer.create_batch()
            while at < len(values) and batch.append(key=None, value=values[at], timestamp=None):
                at += 1
            sent.append(await producer.send_batch(batch, TOPIC, partition=next(partitions)))
        await asyncio.gather(*sent)
    await producer.stop()


async def stock(bootstrap: str, count: int) -> float:
    """Return the records/s that an empty stock Faust agent reads."""
    app = faust.App(
        f"stock-{uuid.uuid4().hex[:8]}", broker=f"kafka://{bootstrap}", consumer_auto_offset_reset="earliest",
        topic_allow_declare=False, topic_disable_leader=True, store="memory://", autodiscover=False, web_enabled=False,
        datadir=f"/tmp/threadline-bench-{uuid.uuid4().hex[:8]}",
    )  # fmt: skip
    done, seen, began = asyncio.Event(), 0, 0.0

    async def read(stream: Any) -> None:
        nonlocal seen, began
        async for _ in stream:
            began = began or time.perf_counter()
            seen += 1
            if seen == count:
                done.set()

    app.agent(app.topic(TOPIC, value_serializer="raw", key_serializer="raw"), name="empty")(read)
    await app.start()
    await done.wait()
    took = time.perf_counter() - began
    await app.stop()
    return count / took


async def measure_stock(stack: Stack, count: int) -> float:
    """Run `stock` in a process of its own."""
    program = [sys.executable, "-m", "bench.worker", stack.kafka.bootstrap, str(count)]
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return float(out.split()[-1])


async def measure_worker(stack: Stack, count: int) -> dict[str, Any]:
    """Return the webhooks/s of the worker from its first commit to its last, and its memory in MiB meanwhile."""
    await stack.start("work")
    process = psutil.Process(stack.children["work"].pid)
    points: list[tuple[float, float, float]] = []
    async with httpx.AsyncClient() as client:
        while not points or points[-1][1] < count:
            page = (await client.get(f"http://127.0.0.1:{stack.worker}/metrics")).text
            done = next(float(x.split()[1]) for x in page.splitlines() if x.startswith(DONE))
            if done:
                points.append((time.perf_counter(), done, process.memory_info().rss / 2**20))
            await asyncio.sleep(0.05)
    await stack.children.pop("work").stop()
    (began, first, _), (ended, last, late) = points[0], points[-1]
    return {
        "rate": (last - first) / (ended - began),
        "memory_early": next(rss for _, done, rss in points if done >= count / 5),
        "memory_late": late,
        "memory": [[round(done), round(rss, 1)] for _, done, rss in points[:: max(1, len(points) // 20)]],
    }


async def measure(folder: Path, count: int) -> dict[str, Any]:
    """Measure both on one topic, the stock agent before and after. Return {"rate", "limit", "memory_early",
    "memory_late", "memory"}, the last as pairs of webhooks done and MiB."""
    async with Stack(folder) as stack:
        say(f"putting {count:,} webhooks on Kafka")
        await fill(stack, traffic.posts(count))
        say("an empty stock Faust agent reads them")
        before = await measure_stock(stack, min(count, STOCK))
        say("the worker reads, normalizes, stores and projects them")
        found = await measure_worker(stack, count)
        say("the stock agent again")
        after = await measure_stock(stack, min(count, STOCK))
    return {**found, "limit": (before + after) / 2}


if __name__ == "__main__":
    words = "Run so, it reads the topic by the empty stock agent, and prints its records/s. Both: python -m bench --only worker"
    parser = alone.parser_of("worker", f"{__doc__}\n\n{words}")
    parser.add_argument("bootstrap", help="the broker, HOST:PORT")
    parser.add_argument("count", type=int, help="records that the topic has")
    given = parser.parse_args()
    print(uvloop.run(stock(given.bootstrap, given.count)))
