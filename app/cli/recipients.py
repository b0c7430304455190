"""`threadline recipients …`, as the command line declares it."""

from typing import Annotated

import typer

recipients = typer.Typer(
    name="recipients", no_args_is_help=True, help="Recipients: what they want, opted out or in, and their time zone."
)

_Handle = Annotated[str, typer.Argument(help="Whom: +15551234567, ana@example.com, or kind:value.")]
_Client = Annotated[
    str | None,
    typer.Option(help="The client id whose recipient it is; by default that of THREADLINE_API_KEY, else default."),
]
_Channel = Annotated[str, typer.Option(help="sms, email, …; * is all of them.")]


@recipients.command("show")
def show(handle: _Handle, client: _Client = None) -> None:
    """Print a recipient's time zone, and what they want on each channel."""
    from app.commands.recipients import show

    raise typer.Exit(show(handle, client=client))


@recipients.command("opt-out")
def opt_out(handle: _Handle, client: _Client = None, channel: _Channel = "*") -> None:
    """Send a recipient no more messages."""
    from app.commands.recipients import consent

    raise typer.Exit(consent(handle, channel, "out", client=client))


@recipients.command("opt-in")
def opt_in(handle: _Handle, client: _Client = None, channel: _Channel = "*") -> None:
    """Send a recipient messages again. Where all channels and one were opted out of, each is to be opted in to."""
    from app.commands.recipients import consent

    raise typer.Exit(consent(handle, channel, "in", client=client))


@recipients.command("zone")
def zone(
    handle: _Handle,
    name: Annotated[str | None, typer.Argument(help="Like Europe/Lisbon; left out, it is forgotten.")] = None,
    client: _Client = None,
) -> None:
    """Note a recipient's time zone."""
    from app.commands.recipients import zone

    raise typer.Exit(zone(handle, name, client=client))
