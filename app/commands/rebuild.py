"""`threadline rebuild`."""

import asyncio
import sys
import time
from collections.abc import Callable

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.commands.migrate import owner_dsn
from sql.rebuild import RebuildError, rebuild

#: Seconds between two lines where no terminal shows a bar.
EVERY = 5.0


def run() -> int:
    """Rebuild, with a progress bar on a terminal and a line now and then elsewhere; 1 where it cannot be done."""
    dsn, console, began = owner_dsn(), Console(), time.monotonic()
    work = draw_bar if console.is_terminal else print_lines
    try:
        done = work(dsn, console)
    except (RebuildError, psycopg.Error) as error:
        print(f"Not rebuilt, the timelines are as they were: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    print(f"Rebuilt from {done:,} events in {took:.1f} s ({done / took:,.0f} events/s).")
    return 0


def draw_bar(dsn: str, console: Console) -> int:
    """Rebuild under a progress bar; returns how many events were folded. Raises as `sql.rebuild.rebuild` does."""
    columns = (
        TextColumn("Rebuilding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} events/s"),
        TimeRemainingColumn(),
    )
    rate = _rate()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="…")

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, rate=rate(done))

        return asyncio.run(rebuild(dsn, progress))


def print_lines(dsn: str, _: Console) -> int:
    """The same with a line on stdout now and then."""
    rate, said = _rate(), time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY or done == total:
            said = time.monotonic()
            print(f"{done:,} of {total:,} events, {rate(done)} events/s", flush=True)

    return asyncio.run(rebuild(dsn, progress))


def _rate() -> Callable[[int], str]:
    """The events/s since now, as text."""
    began = time.monotonic()
    return lambda done: f"{done / max(time.monotonic() - began, 0.001):,.0f}"
