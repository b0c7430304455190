"""`threadline rebuild`: rebuild the interactions from the event log."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.archive import opened
from app.cli.migrate import owner_dsn
from app.cli.support.connecting import ADVICE, cause
from app.cli.support.terminal import print_error
from app.numbered import numbered
from app.settings.loading import load
from sql.archive import ArchiveError
from sql.rebuild import MonthsMissing, RebuildError
from sql.rebuild import rebuild as rebuild_from_log
from webhooks.blobs import StoreMisconfigured

#: Seconds between two lines of progress where standard output is not a terminal.
EVERY = 5.0


def rebuild(
    processes: Annotated[
        int,
        typer.Option(min=1, max=64, help="How many processes of the database fold side by side; each takes a core."),
    ] = 1,
) -> int:
    """Rebuild the interactions from the event log, in a table beside the live one, then swap the two.

    Months that are archived are brought back for it, and dropped again afterwards: the database needs the room for them. Events
    may keep coming. One that was killed goes on where it was. Exit code 1 where it fails; the live table is then
    unchanged.
    """
    dsn, console, began = owner_dsn(), Console(), time.monotonic()
    work = draw_bar if console.is_terminal else print_lines
    try:
        try:
            done = work(dsn, console, processes)
        except MonthsMissing as missing:
            with opened(load()) as archive:
                for month in missing.months:
                    archive.restore(month)
            done = work(dsn, console, processes)
            with opened(load()) as archive:
                for month in missing.months:
                    archive.drop(month, attached=True)
    except psycopg.OperationalError as error:
        return print_error(f"Not rebuilt; the timelines are unchanged: {cause(error)}. {ADVICE}")
    except (RebuildError, ArchiveError, StoreMisconfigured, psycopg.Error, OSError) as error:
        return print_error(f"Not rebuilt; the timelines are unchanged: {error}")
    took = time.monotonic() - began
    print(f"Rebuilt from {numbered(done, 'event')} in {took:.1f} s ({done / took:,.0f} events/s).")
    return 0


def draw_bar(dsn: str, console: Console, processes: int = 1) -> int:
    """Rebuild with a progress bar and return the number of events. Raises what `sql.rebuild.rebuild` does."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} events/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        tasks = {what: bar.add_task(what, total=None, rate="…") for what in ("tied", "linked", "folded")}
        rates = {what: _rate() for what in tasks}

        def progress(what: str, done: int, total: int) -> None:
            bar.update(tasks[what], completed=done, total=total, rate=rates[what](done))

        return asyncio.run(rebuild_from_log(dsn, progress, processes))


def print_lines(dsn: str, _: Console, processes: int = 1) -> int:
    """Rebuild with a line of progress every few seconds and return the number of events."""
    rates, printed = {what: _rate() for what in ("tied", "linked", "folded")}, time.monotonic()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal printed
        rate = rates[what](done)
        if time.monotonic() - printed >= EVERY:
            printed = time.monotonic()
            print(f"{done:,} of {numbered(total, 'event')} {what}, {rate} events/s", flush=True)

    return asyncio.run(rebuild_from_log(dsn, progress, processes))


def _rate() -> Callable[[int], str]:
    """Return a function that gives the events/s since its first call, without those of that call, as text; at that call none."""
    first: list[tuple[float, int]] = []

    def rate(done: int) -> str:
        if not first:
            first.append((time.monotonic(), done))
            return "…"
        began, before = first[0]
        return f"{(done - before) / max(time.monotonic() - began, 0.001):,.0f}"

    return rate
