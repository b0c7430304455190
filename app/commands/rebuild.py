"""`threadline rebuild`."""

import asyncio
import sys
import time

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.embedded.running import resolve
from app.settings import Settings
from sql.rebuild import RebuildError, rebuild


def run() -> int:
    """Rebuild, with a progress bar where somebody watches; 1 where it cannot be done."""
    dsn = resolve(Settings()).postgres.owner_dsn
    if dsn is None:
        print("No database is configured: set THREADLINE_POSTGRES__OWNER_DSN, or run `threadline up`.", file=sys.stderr)
        return 1
    console, began = Console(stderr=True), time.monotonic()
    columns = (
        TextColumn("Rebuilding"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} events/s"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=None, rate="…")

            def progress(done: int, total: int) -> None:
                rate = f"{done / (time.monotonic() - began):,.0f}"
                bar.update(task, completed=done, total=total, rate=rate)

            done = asyncio.run(rebuild(dsn.get_secret_value(), progress))
    except (RebuildError, psycopg.Error) as error:
        print(f"Not rebuilt, the timelines are as they were: {error}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    print(f"Rebuilt from {done:,} events in {took:.1f} s ({done / took:,.0f} events/s).")
    return 0
