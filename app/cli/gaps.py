"""`threadline gaps`, `threadline gaps acknowledge`: records that Kafka deleted before they were read."""

from typing import Annotated, Any

import typer

from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import actor, in_store
from app.cli.support.terminal import FAILED, entry, fields, minute, print_error
from app.numbered import numbered
from sql import EventStore

gaps = typer.Typer(
    name="gaps",
    invoke_without_command=True,
    help="""List gaps: records that Kafka deleted before they were read.

Exit code 1 where one is not acknowledged.
""",
)


@gaps.callback()
def show(
    context: typer.Context,
    all_of_them: Annotated[bool, typer.Option("--all", help="Include those that were acknowledged.")] = False,
    as_json: AsJson = False,
) -> int:
    """Print the gaps, the latest first; return 1 where one is not acknowledged."""
    if context.invoked_subcommand is not None:
        return 0

    async def read(store: EventStore) -> int:
        rows = await store.gaps(all=all_of_them)
        if as_json:
            print_json(rows)
        elif rows:
            for row in rows:
                print(_entry(row))
        else:
            print("No gap: nothing was deleted before it was read.")
        return FAILED if any(row["acknowledged_at"] is None for row in rows) else 0

    return in_store(read)


@gaps.command()
def acknowledge(
    topic: Annotated[str | None, typer.Argument(help="Only the gaps of this topic.")] = None,
    partition: Annotated[int | None, typer.Argument(help="Only those of this partition.")] = None,
    offset: Annotated[int | None, typer.Argument(help="Only the one that begins at this offset.")] = None,
) -> int:
    """Acknowledge gaps: the worker no longer reports them. `gaps --all` keeps listing them. Exit code 1 where none is open."""

    async def note(store: EventStore) -> int:
        rows = await store.acknowledge_gaps(actor(), topic, partition, offset)
        for row in rows:
            print(f"acknowledged: {row['topic']}-{row['partition']}, {what(row)}")
        return 0 if rows else print_error("No such gap is open. All gaps: threadline gaps --all")

    return in_store(note)


def _entry(row: dict[str, Any]) -> str:
    """Return a gap as an entry, with its times."""
    found, acknowledged = minute(row["found_at"]), minute(row["acknowledged_at"])
    times = fields(found=found, acknowledged=acknowledged, by=row["acknowledged_by"])
    return entry(f"{row['topic']}, partition {row['partition']}", what(row), times)


def what(row: dict[str, Any]) -> str:
    """Return what a gap lacks, in words."""
    first, end = row["from_offset"], row["to_offset"]
    if end < first:
        return f"cut off at {end}, read up to {first}"
    return (
        f"{numbered(end - first, 'record')}, offsets {first} to {end - 1}"
        if end - first > 1
        else f"1 record, offset {first}"
    )
