"""The options of `threadline callbacks`."""

from typing import Annotated
from uuid import UUID

import typer

callbacks = typer.Typer(
    name="callbacks",
    no_args_is_help=True,
    help="""Callbacks: how clients are told what becomes of their messages.

A client's configuration names the URL ("callback": {"url": "https://shop.example.com/told"}). Then:

\b
  threadline callbacks rotate shop                            a secret to verify with, shown once
  threadline callbacks show shop                              how it does, and what was told
  threadline callbacks enable shop                            begin again after it was disabled
  threadline callbacks replay shop --since 2026-02-03T00:00:00Z
""",
)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")]


@callbacks.command("list")
def list_() -> None:
    """List all callbacks, each with how it does and what waits for it."""
    from app.commands.callbacks import show_all

    raise typer.Exit(show_all())


@callbacks.command()
def show(
    client: ClientId,
    state: Annotated[str | None, typer.Option(help="Only deliveries that are waiting, delivered or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many deliveries.")] = 20,
) -> None:
    """Show a client's callback and its latest deliveries."""
    from app.commands.callbacks import show

    raise typer.Exit(show(client, state=state, limit=limit))


@callbacks.command()
def rotate(client: ClientId) -> None:
    """Make a new secret and print it, this once; those before it sign on for 24 hours."""
    from app.commands.callbacks import rotate

    raise typer.Exit(rotate(client))


@callbacks.command()
def enable(client: ClientId) -> None:
    """Begin again with a callback that was disabled; what waits is due at once."""
    from app.commands.callbacks import enable

    raise typer.Exit(enable(client))


@callbacks.command()
def replay(
    client: ClientId,
    id: Annotated[list[UUID] | None, typer.Option(help="An event's id. Repeatable.")] = None,
    since: Annotated[str | None, typer.Option(help="Events recorded from this time on (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option(help="… and before this one; now if left out.")] = None,
) -> None:
    """Tell a client again, by events' ids or by when they were recorded."""
    from app.commands.callbacks import replay

    raise typer.Exit(replay(client, ids=id or [], since=since, until=until))
