"""`threadline gaps …`, as the command line declares it."""

from typing import Annotated

import typer

gaps = typer.Typer(
    name="gaps",
    invoke_without_command=True,
    help="What was passed over: records that Kafka deleted before they were read. Lists those that nobody acknowledged.",
)


@gaps.callback()
def show(
    context: typer.Context,
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that were acknowledged.")] = False,
) -> None:
    """List them. Exit code 1 where some wait for an operator."""
    if context.invoked_subcommand is None:
        from app.commands.gaps import show

        raise typer.Exit(show(all=all_of_them))


@gaps.command("acknowledge")
def acknowledge(
    topic: Annotated[str | None, typer.Argument(help="Of this topic; of all, if left out.")] = None,
    partition: Annotated[int | None, typer.Argument(help="Of this partition of it.")] = None,
    offset: Annotated[int | None, typer.Argument(help="The one that begins at this offset.")] = None,
) -> None:
    """Say that they were seen to: the worker names them no longer. They stay in the list of all."""
    from app.commands.gaps import acknowledge

    raise typer.Exit(acknowledge(topic, partition, offset))
