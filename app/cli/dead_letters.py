"""The options of `threadline dead-letters`."""

from typing import Annotated

import typer

dead_letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    help="""Dead letters: records that could not be processed, each with its reason.

\b
  threadline dead-letters list --source twilio     the latest
  threadline dead-letters show ID                  what was wrong, what came
  threadline dead-letters replay ID                read it again
  threadline dead-letters replay --source twilio   all that were not yet
""",
)

Topic = Annotated[str | None, typer.Option(help="Only of this topic, e.g. webhooks.received.")]
Source = Annotated[str | None, typer.Option(help="Only of this source.")]


@dead_letters.command("list")
def list_(
    topic: Topic = None,
    source: Source = None,
    open: Annotated[bool, typer.Option("--open", help="Only those that were not replayed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the latest dead letters, newest first."""
    from app.commands.dead_letters import show_all

    raise typer.Exit(show_all(topic=topic, source=source, open=open, limit=limit, as_json=as_json))


@dead_letters.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the record alone, byte for byte.")] = False,
) -> None:
    """Show one dead letter: what is wrong with it, and the record. It may hold personal data."""
    from app.commands.dead_letters import show

    raise typer.Exit(show(id, raw=raw))


@dead_letters.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Which; or use --topic or --source.")] = None,
    topic: Topic = None,
    source: Source = None,
) -> None:
    """Put records on their topics again, to be read anew. What was stored of them before stays as it is: twice is once."""
    from app.commands.dead_letters import replay

    raise typer.Exit(replay(ids or [], topic=topic, source=source))
