"""`python -m bench` (or `make bench`): every figure beside a limit measured in the same run on the same machine.

Prints a table, and writes bench/results.json and bench/results.svg. The whole takes about a quarter of an hour on two
cores; `--quick` takes less of everything, and says so in the results.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib
import uvloop
from rich.console import Console
from rich.table import Table

from bench import api, door, store, together, worker

HERE = Path(__file__).parent
Figure = dict[str, Any]


def figure(
    name: str, value: float, unit: str, *, limit: float | None = None, ratio: float | None = None,
    target: float | None = None, better: str = "more", note: str = "",
) -> Figure:  # fmt: skip
    """One row. `target` is for the ratio where there is one, else for the value; `met` is absent without a target."""
    measured = value if ratio is None else ratio
    met = None if target is None else measured >= target if better == "more" else measured <= target
    return {
        "name": name, "value": round(value, 2), "unit": unit, "limit": limit and round(limit, 2), "ratio": ratio,
        "target": target, "better": better, "met": met, "note": note,
    }  # fmt: skip


async def doors(folder: Path, quick: bool) -> list[Figure]:
    found = await door.measure(folder, turns=2 if quick else 5, seconds=2 if quick else 3)
    return [
        figure(
            f"door, {words}",
            one["rate"],
            "webhooks/s",
            limit=one["limit"],
            ratio=one["ratio"],
            target=target,
            note=f"acknowledged by one process; limit: a bare Starlette route; p50 {one['p50']} ms, p99 {one['p99']} ms at {door.CONNECTIONS} connections",
        )
        for words, one, target in (("broker's page cache", found["plain"], 0.4), ("broker syncs", found["synced"], 0.3))
    ]


async def workers(folder: Path, quick: bool) -> list[Figure]:
    count = 60_000 if quick else 1_000_000
    found = await worker.measure(folder, count)
    note = f"Kafka to committed events and timeline, {count:,} webhooks; limit: an empty stock Faust agent, same topic"
    return [
        figure("worker", found["rate"], "webhooks/s", limit=found["limit"], ratio=round(found["rate"] / found["limit"], 3), target=1.0, note=note),
        figure(
            "worker's memory", found["memory_late"], "MiB", limit=found["memory_early"], better="less", target=1.15,
            ratio=round(found["memory_late"] / found["memory_early"], 3), note=f"resident after all {count:,}; limit: after a fifth of them",
        ),
    ]  # fmt: skip


async def stores(folder: Path, quick: bool) -> list[Figure]:
    found = await store.measure(folder, count=15_000 if quick else 40_000, turns=2 if quick else 5)
    note = "append and project; limit: a bare batched INSERT of the same rows into the same table, dedup on"
    return [figure("store", found["rate"], "rows/s", limit=found["limit"], ratio=found["ratio"], target=0.7, note=note)]


async def altogether(folder: Path, quick: bool) -> list[Figure]:
    steps = await together.measure(folder, seconds=10 if quick else 60)
    carried = [step for step in steps if step["carried"]]
    best = carried[-1] if carried else steps[0]
    note = f"acknowledged and stored on these cores, load generator included; the most that was carried of {[step['offered'] for step in steps]} offered"
    return [
        figure("everything at once", best["stored"], "webhooks/s", limit=best["acknowledged"], target=5000, note=note)
        | {"steps": steps, "met": bool(carried)}
    ]


async def latencies(folder: Path, quick: bool) -> list[Figure]:
    found = await api.latency(folder, seconds=8 if quick else 30)
    note = f"POST to visible in the timeline at 500 webhooks/s, {found['samples']} samples, polled every 2 ms"
    return [
        figure("latency, p50", found["p50"], "ms", better="less", note=note),
        figure("latency, p99", found["p99"], "ms", better="less", target=250, note=note),
    ]


async def timelines(folder: Path, quick: bool) -> list[Figure]:
    large = 400_000 if quick else 5_000_000
    found = await api.pages(folder, large=large, reads=1000 if quick else 3000)
    note = f"p99 of a page of 50 over HTTP from {large:,} events (p50 {found['large']['p50']} ms); limit: from 50,000"
    return [
        figure("timeline page", found["large"]["p99"], "ms", limit=found["small"]["p99"], ratio=found["ratio"], target=1.3, better="less", note=note),
        figure("rebuild", found["rebuild"], "events/s", note=f"of {large:,} events, two an interaction"),
    ]  # fmt: skip


PARTS: dict[str, Callable[[Path, bool], Awaitable[list[Figure]]]] = {
    "door": doors,
    "worker": workers,
    "store": stores,
    "together": altogether,
    "latency": latencies,
    "timeline": timelines,
}


def show(figures: list[Figure], console: Console) -> None:
    """The table that a person reads."""
    table = Table("what", "figure", "limit", "ratio", "target", "met")
    for row in figures:
        target = "" if row["target"] is None else f"{'≥' if row['better'] == 'more' else '≤'} {row['target']:,}"
        met = {None: "", True: "[green]yes", False: "[red]no"}[row["met"]]
        limit = "" if row["limit"] is None else f"{row['limit']:,}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']}"
        table.add_row(row["name"], f"{row['value']:,} {row['unit']}", limit, ratio, target, met)
    console.print(table)


def draw(figures: list[Figure], file: Path) -> None:
    """Bars of the ratios, each with its target as a line across."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    rows = [row for row in figures if row["ratio"] is not None][::-1]
    if not rows:
        return
    plot, axes = pyplot.subplots(figsize=(8, 0.6 * len(rows) + 1.2))
    axes.barh([row["name"] for row in rows], [row["ratio"] for row in rows], color="#3b7dd8", height=0.55)
    for place, row in enumerate(rows):
        axes.plot([row["target"]] * 2, [place - 0.4, place + 0.4], color="#d1495b", linewidth=2)
        axes.text(row["ratio"], place, f"  {row['ratio']:.2f}", va="center", fontsize=9)
    axes.set_xlabel("ratio to the limit measured in the same run (red: the target)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    plot.tight_layout()
    matplotlib.rcParams["svg.hashsalt"] = "threadline"
    plot.savefig(file, facecolor="white", metadata={"Date": None})


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help=f"some of: {','.join(PARTS)} (writes no results)")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    given, console = parser.parse_args(), Console()
    wanted = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as temporary:
        os.chmod(temporary, 0o711)  # the embedded PostgreSQL may run under another account
        for name in wanted:
            console.print(f"[dim]{datetime.now():%H:%M:%S}[/] measuring {name} …")
            figures += uvloop.run(PARTS[name](Path(temporary) / name, given.quick))
            show(figures, console)
    for row in figures:
        console.print(f"[dim]{row['name']}: {row['note']}", soft_wrap=True)
    if not given.only:
        about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"), "quick": given.quick, "cores": os.cpu_count(),
            "python": platform.python_version(), "system": platform.platform(terse=True),
        }  # fmt: skip
        (HERE / "results.json").write_text(json.dumps({**about, "figures": figures}, indent=2) + "\n")
        draw(figures, HERE / "results.svg")
        console.print("Written: bench/results.json, bench/results.svg")
    return 0 if all(row["met"] is not False for row in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
