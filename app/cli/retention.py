"""`threadline retention`: how long rows are kept, and how many are due."""

import asyncio
from collections import Counter
from typing import Annotated, Any

import typer
from rich.console import Console

from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import opened
from app.cli.support.terminal import FAILED, add_row, minute, print_error, print_note, table
from app.embedded.running import resolve
from app.numbered import numbered
from app.settings import Settings
from app.settings.loading import load
from sql.retention import COUNTED


def retention(
    run: Annotated[bool, typer.Option("--run", help="Remove the rows that are due now.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show how long rows are kept, and how many are due to be removed; --run removes them now.

    The worker removes them every hour; the days are the settings `retention`, and of interactions those of each client's channel. Exit code 1 where a worker is removing rows at the
    moment, so that --run did nothing.
    """
    settings = resolve(load())
    return asyncio.run(_removed(settings, as_json) if run else _shown(settings, as_json))


async def _shown(settings: Settings, as_json: bool) -> int:
    """Print each store with its days, its oldest row and the number of rows that are due."""
    async with opened(settings) as store:
        rows, channels = await store.expiring(settings.retention.ages), await store.expiring_channels()
        finished, _ = await store.retention_finished()
    days: dict[str, int] = settings.retention.model_dump()
    if as_json:
        stores = [row | {"days": days[row["store"]], "more": row["due"] >= COUNTED} for row in rows]
        return print_json({"finished_at": finished, "stores": stores, "channels": [_channel(row) for row in channels]})
    listed = table("setting", "days", "oldest row (UTC)", "due", whole=("setting", "days", "oldest row (UTC)", "due"))
    for row in rows:
        add_row(listed, f"retention.{row['store']}", days[row["store"]] or "for ever", minute(row["oldest"]), _due(row))
    for row in channels:
        add_row(listed, f"{row['client_id']}: {_words(row)}", row["days"], minute(row["oldest"]), _due(row))
    Console().print(listed)
    print(f"Last removed: {minute(finished)} UTC. Now: threadline retention --run")
    return 0


def _words(row: dict[str, Any]) -> str:
    return row["channel"] or "no channel"


def _channel(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"channel": row["channel"] or None, "more": row["due"] >= COUNTED}


def _due(row: dict[str, Any]) -> str:
    return f"{row['due']:,}{' or more' if row['due'] >= COUNTED else ''}"


async def _removed(settings: Settings, as_json: bool) -> int:
    """Remove the rows that are due, with a line of progress for each 100,000 of a table."""
    removed: Counter[str] = Counter()

    def note(of: str, rows: int) -> None:
        before, removed[of] = removed[of], removed[of] + rows
        if before // 100_000 < removed[of] // 100_000:
            print_note(f"{of}: {numbered(removed[of], 'row')} removed so far")

    async with opened(settings) as store:
        if not await store.remove_expired(settings.retention.ages, note):
            return print_error("A worker is removing rows at the moment; it goes on by itself.", FAILED)
    if as_json:
        return print_json({"removed": dict(removed)})
    for name, rows in removed.items():
        print(f"{name}: {numbered(rows, 'row')} removed")
    if not removed:
        print("Nothing is due.")
    return 0
