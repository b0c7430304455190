"""`threadline archive`: old months of the log as Parquet files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.console import Console

from app.archive import INSTALL, files_of
from app.cli.migrate import owner_dsn
from app.cli.support.connecting import ADVICE, cause
from app.cli.support.terminal import FAILED, MISUSED, add_row, print_error, print_note, table
from app.settings import Settings
from app.settings.loading import load
from sql.archive import ArchiveError
from webhooks.blobs import StoreMisconfigured

if TYPE_CHECKING:
    from sql.archive.months import Archive

EXTRA = f"This needs pyarrow: {INSTALL}"


def archive(
    run: Annotated[bool, typer.Option("--run", help="Archive the months that are due now, and drop them.")] = False,
    restore: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Bring a month back into the database.")
    ] = None,
) -> int:
    """Show the months of the log and where they are; --run archives those that are due.

    A month is due `archive.after_months` after its end. It is written to Parquet files, read back and compared, and only then dropped
    from the database. A run that was killed goes on with the next. Exit code 1 where it fails; nothing is lost then.
    """
    settings, month = load(), month_of(restore) if restore is not None else None
    try:
        with opened(settings) as found:
            if month is not None:
                found.restore(month)
            elif run and not settings.archive.after_months:
                return print_error("Nothing is archived: archive.after_months is 0. Set it to 2 or more.", FAILED)
            elif run:
                found.archive(settings.archive.after_months)
            else:
                _show(found, settings)
    except psycopg.OperationalError as error:
        return print_error(f"Not done; nothing is lost: {cause(error)}. {ADVICE}")
    except (ArchiveError, StoreMisconfigured, psycopg.Error, OSError) as error:  # OSError: no room for a temporary file
        return print_error(f"Not done; nothing is lost: {error}", FAILED)
    return 0


@contextmanager
def opened(settings: Settings) -> Iterator["Archive"]:
    """Open the archive of the configured database, which prints what it does. Ends the command (SystemExit) without pyarrow."""
    try:
        from sql.archive.months import Archive
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("pyarrow"):
            raise
        sys.exit(EXTRA)
    with Archive.open(
        owner_dsn(), files_of(settings), lambda month, done: print_note(f"{month:%Y-%m} {done}")
    ) as found:
        yield found


def month_of(text: str) -> date:
    """Return the first day of a month, which is written YYYY-MM. Ends the command (SystemExit 2) for another text."""
    try:
        return datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        sys.exit(print_error(f"--restore {text} is no month: write one as 2026-03.", MISUSED))


def _show(found: "Archive", settings: Settings) -> None:
    """Print each month: where it is, its files and events, and its size in the database."""
    listed = table("month", "in", "files", "events in files", "size", whole=("month", "in", "files"))
    for each in found.months(settings.archive.after_months):
        where = " and ".join(["the database"] * (each.name is not None) + ["the archive"] * (each.files > 0))
        due = settings.archive.after_months and each.due and each.name is not None
        size = f"{each.bytes / 2**20:,.0f} MiB" if each.bytes is not None else "-"
        add_row(listed, f"{each.month:%Y-%m}", f"{where}, due" if due else where, each.files, f"{each.events:,}", size)
    Console().print(listed)
