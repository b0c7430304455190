"""`threadline rebuild`: rebuild the interactions from the event log."""

import asyncio
import sys
import time
from collections.abc import Callable

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.migrate import owner_dsn
from sql.rebuild import RebuildError
from sql.rebuild import rebuild as rebuild_from_log

#: Seconds between two lines of progress where standard output is not a terminal.
EVERY = 5.0


def rebuild() -> int:
    """Rebuild the interactions from the event log, in a table beside the live one, then swap the two.

    Events may keep coming. Exit code 1 where it fails; the live table is then unchanged.
    """
    dsn, console, began = owner_dsn(), Console(), time.monotonic()
    work = draw_bar if console.is_terminal else print_lines
    try:
        done = work(dsn, console)
    except (RebuildError, psycopg.Error) as error:
        print(f"Not rebuilt; the timelines are unchanged: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    print(f"Rebuilt from {done:,} events in {took:.1f} s ({done / took:,.0f} events/s).")
    return 0


def draw_bar(dsn: str, console: Console) -> int:
    """Rebuild with a progress bar and return the number of events. Raises what `sql.rebuild.rebuild` does."""
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

        return asyncio.run(rebuild_from_log(dsn, progress))


def print_lines(dsn: str, _: Console) -> int:
    """Rebuild with a line of progress every few seconds and return the number of events."""
    rate, printed = _rate(), time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= EVERY or done == total:
            printed = time.monotonic()
            print(f"{done:,} of {total:,} events, {rate(done)} events/s", flush=True)

    return asyncio.run(rebuild_from_log(dsn, progress))


def _rate() -> Callable[[int], str]:
    """Return a function that gives the events/s since now, as text."""
    began = time.monotonic()
    return lambda done: f"{done / max(time.monotonic() - began, 0.001):,.0f}"
