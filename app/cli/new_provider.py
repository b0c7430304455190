"""The options of `threadline new-provider`."""

from typing import Annotated

import typer


def new_provider(
    name: Annotated[str, typer.Argument(help="The provider's name in configuration, as acme_sms.")],
    title: Annotated[str | None, typer.Option(help="The name that people read; by default made from NAME.")] = None,
    channel: Annotated[str, typer.Option(help="sms, whatsapp, voice, email, push, chat or iot.")] = "sms",
) -> None:
    """Create the files of a new provider: adapter, page, simulator and fixture. Run it in a checkout."""
    from app.commands.new_provider import run

    raise typer.Exit(run(name, title=title, channel=channel))
