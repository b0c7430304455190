"""The parts of the benchmark: how much each measures, and its figures."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bench import adapters, customers, door, latency, sending, store, timeline, together, worker
from bench.results import Figure, figure, short


async def doors(folder: Path, quick: bool) -> list[Figure]:
    """acknowledged webhooks/s of one process, beside a bare Starlette route"""
    found = await door.measure(folder, turns=2 if quick else 5, seconds=2 if quick else 4)
    rows = (("door", "plain", 0.4), ("door, broker syncing", "synced", 0.3))
    return [
        figure(
            name,
            found[key]["rate"],
            "webhooks/s",
            limit=found[key]["limit"],
            ratio=found[key]["ratio"],
            target=target,
            note="recognised, signature verified, in Kafka; limit: a bare Starlette route that reads the body and "
            f"answers 202; at {door.CONNECTIONS} connections p50 {found[key]['p50']} ms, p99 {found[key]['p99']} ms; "
            f"the ratio of single turns {found[key]['least']} to {found[key]['most']}",
        )
        for name, key, target in rows
    ]


async def workers(folder: Path, quick: bool) -> list[Figure]:
    """webhooks/s from Kafka to the committed timeline, beside an empty Faust agent; memory over a million"""
    count = 60_000 if quick else 1_000_000
    found = await worker.measure(folder, count)
    return [
        figure(
            "worker",
            found["rate"],
            "webhooks/s",
            limit=found["limit"],
            ratio=found["rate"] / found["limit"],
            target=1.0,
            note=f"one process, from Kafka to committed events and timeline, {count:,} webhooks; limit: an empty stock "
            "Faust agent on the same topic, the mean of a run before and one after",
        ),
        figure(
            "worker's memory",
            found["memory_late"],
            "MiB",
            limit=found["memory_early"],
            ratio=found["memory_late"] / found["memory_early"],
            target=1.15,
            better="less",
            note=f"resident set at the end of {count:,} webhooks; limit: after a fifth of them",
            over_time=found["memory"],
        ),
    ]


async def stores(folder: Path, quick: bool) -> list[Figure]:
    """rows/s of append and project, beside a bare batched INSERT into the same table"""
    count, turns = (15_000, 3) if quick else (40_000, 7)
    found = await store.measure(folder, count, turns)
    note = (
        f"append and project in one transaction, batches of {store.BATCH}; limit: a bare batched INSERT of the same "
        f"rows into the same table, ON CONFLICT (id) DO NOTHING; fresh databases, in turn, medians; the ratio of single turns {found['least']} to {found['most']}"
    )
    return [figure("store", found["rate"], "rows/s", limit=found["limit"], ratio=found["ratio"], target=0.7, note=note)]


async def decisions(folder: Path, quick: bool) -> list[Figure]:
    """ms to merge, split and erase a customer with 10,000 interactions; bytes of an event on disk"""
    interactions, turns = (2000, 3) if quick else (10_000, 5)
    took, sizes = await customers.measure(folder, interactions, turns)
    figures = [
        figure(
            f"{name} of a customer",
            took[name],
            "ms",
            target=target,
            better="less",
            note=f"with {interactions:,} interactions; {how}; the median of {turns}",
        )
        for name, target, how in (
            ("merge", 20, "the store's call, committed"),
            ("split", 20, "the store's call, committed"),
            ("erase", None, "from the request to the receipt, of two events an interaction"),
        )
    ]
    parts = ", ".join(f"{name} {size.rows} and {size.indexes}" for name, size in sorted(sizes.items()))
    whole = sum(size.rows + size.indexes for size in sizes.values())
    note = f"sealed, two an interaction, with its share of the projections; rows and indexes: {parts}"
    return [*figures, figure("an event on disk", whole, "bytes", better="less", note=note)]


async def altogether(folder: Path, quick: bool) -> list[Figure]:
    """webhooks/s acknowledged and stored by all parts on the same cores, load generator included; the lag"""
    steps = await together.measure(folder, seconds=10 if quick else 60)
    carried = [step for step in steps if step["carried"]]
    best = max(carried, key=lambda step: step["offered"]) if carried else min(steps, key=lambda step: step["offered"])
    tried = ", ".join(
        f"{step['offered']:,} for {step['seconds']} s {'carried' if step['carried'] else 'not carried'} "
        f"(lag {step['lag'][0]:,} … {step['lag'][-1]:,})"
        for step in steps
    )
    cost = ", ".join(f"{name} {microseconds}" for name, microseconds in best["cost"].items())
    return [
        figure(
            "everything at once",
            min(best["acknowledged"], best["stored"]),
            "webhooks/s",
            target=5000,
            note=f"the highest rate carried, acknowledged and stored, with a broker that syncs; offered: {tried}; the "
            f"door's p50 {best['p50']} ms, p99 {best['p99']} ms; processor time per webhook in µs: {cost}",
            steps=steps,
        )
    ]


async def latencies(folder: Path, quick: bool) -> list[Figure]:
    """milliseconds from the POST until the timeline shows it, at 500 webhooks/s"""
    found = await latency.measure(folder, seconds=10, warm_up=5) if quick else await latency.measure(folder)
    note = (
        f"from the POST's first byte until the customer's timeline over HTTP has it, at 500 webhooks/s, "
        f"{found['samples']} samples one after another; one keep-alive connection asks every {latency.POLL * 1000:.0f} ms, or "
        f"{latency.SHARE:.0%} of the time so far if that is more, {found['polls']:.0f} times a sample, so that as much and the answer's "
        f"own time are in it"
    )
    return [
        figure("latency, p50", found["p50"], "ms", better="less", note=note),
        figure("latency, p99", found["p99"], "ms", target=250, better="less", note=note),
    ]


async def timelines(folder: Path, quick: bool) -> list[Figure]:
    """p99 of a timeline page from 5 million events, beside 50 thousand; events/s of a rebuild"""
    large, small, reads = (200_000 if quick else 5_000_000), 50_000, (1000 if quick else 5000)
    found = await timeline.measure(folder, large=large, small=small, reads=reads)
    rows = [
        figure(
            name,
            found["large", key]["p99"],
            "ms",
            limit=found["small", key]["p99"],
            ratio=found["large", key]["p99"] / found["small", key]["p99"],
            target=1.3,
            better="less",
            note=f"p99 {how} of a page of 50 from {large:,} events; limit: from {small:,}; {reads:,} reads each, in "
            f"turn, one at a time, each of another customer; p50 {found['large', key]['p50']} and "
            f"{found['small', key]['p50']} ms",
        )
        for name, key, how in (
            ("timeline page", "http", "over HTTP"),
            ("timeline page, store only", "store", "of the store's call"),
        )
    ]
    note = (
        f"of {large:,} events, two an interaction, beside the live tables, with a store of {short(found['size'])} MiB"
    )
    return [*rows, figure("rebuild", found["rebuild"], "events/s", note=note)]


async def providers(folder: Path, quick: bool) -> list[Figure]:
    """µs to verify and normalize a webhook of one event, provider by provider"""
    costs = adapters.measure(20 if quick else adapters.RUNS)
    slowest = max((cost for cost in costs if not cost.public_key), key=lambda cost: cost.took)
    note = "verify and normalize, the provider's slowest fixture of one event ({fixture}); limit: parsing its body and one HMAC"
    return [
        figure(
            f"{cost.provider}{', public key' if cost.public_key else ''}",
            cost.took,
            "µs",
            limit=cost.limit,
            target=None if cost.public_key else 150,
            better="less",
            note=note.format(fixture=cost.fixture),
            drawn=cost is slowest,
        )
        for cost in costs
    ]


async def sends(folder: Path, quick: bool) -> list[Figure]:
    """messages/s from HTTP and Kafka to the provider, beside bare httpx; due release, fairness, latency"""
    count, due, seconds = (4000, 10_000, 6) if quick else (20_000, 100_000, 20)
    found = await sending.measure(folder, count, due, seconds)
    bare = "limit: bare httpx posts to the same provider, from as many connections as suit it best"
    rows = [
        figure(
            f"sending, {name}",
            found[key],
            "messages/s",
            limit=found["bare"],
            ratio=found[key] / found["bare"],
            target=0.5,
            note=f"one worker, {count:,} messages {how} to the committed UserMessageSent; {bare}",
        )
        for name, key, how in (
            ("by HTTP", "http", "in batches of 50"),
            ("by HTTP, singly", "singly", "each a request of its own, 64 at a time"),
            ("by Kafka", "kafka", "on messages.requested.email"),
        )
    ]
    clients = f"of {due:,} held messages of ten clients that become due at once, over half of them one client's"
    rows.append(
        figure("due release", due / found["release"], "messages/s", note=f"{clients}: {found['release']:.1f} s")
    )
    rows.append(
        figure(
            "fairness", found["fairness"], "worst/best", target=1.5, better="less", note=f"{clients}, at an equal count"
        )
    )
    for name, key, how in (("quiet", "quiet", ""), ("flooded", "flooded", ", while another client floods the worker")):
        note = f"from the request to the provider's receipt, at 100/s{how}; p50 {found[key][0]:.0f} ms"
        rows.append(figure(f"send latency, p99, {name}", found[key][1], "ms", better="less", note=note))
    return rows


#: By the names that the command line knows; the first line of each one's docstring is its help.
PARTS: dict[str, Callable[[Path, bool], Coroutine[Any, Any, list[Figure]]]] = {
    "door": doors,
    "worker": workers,
    "store": stores,
    "together": altogether,
    "latency": latencies,
    "timeline": timelines,
    "customers": decisions,
    "adapters": providers,
    "sending": sends,
}
