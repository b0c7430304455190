"""The options of `threadline clients`."""

from pathlib import Path
from typing import Annotated

import typer

clients = typer.Typer(
    name="clients",
    no_args_is_help=True,
    help="""Clients: how each sends, by which accounts, and every version of it.

An example, from nothing to a client that sends SMS in Lisbon's working hours:

\b
  threadline clients account shop twilio --adapter twilio \\
      --set account_sid=AC… --set sender=+15550001111 --secret auth_token

\b
  threadline clients set shop --file - <<END
  zone = "Europe/Lisbon"
  channels = \\[{ channel = "sms", account = "twilio" }]
  windows.sms = { mon-fri = \\["09:00-20:00"], sat = \\["10:00-14:00"] }
  holidays = \\["12-25", "01-01"]
  END

\b
  threadline clients show shop --history
""",
)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]


@clients.command("list")
def list_() -> None:
    """List the clients: those that are configured, and those that the settings' sources imply."""
    from app.commands.clients import show_all

    raise typer.Exit(show_all())


@clients.command()
def show(
    client: ClientId,
    history: Annotated[bool, typer.Option("--history", help="Every version too, and who changed what.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The configuration alone, as `set` takes it.")] = False,
) -> None:
    """Show a client's configuration and its accounts; of secrets only the names."""
    from app.commands.clients import show

    raise typer.Exit(show(client, history=history, as_json=as_json))


@clients.command("set")
def set_(
    client: ClientId,
    file: Annotated[str, typer.Option(help="A .json or .toml file; - reads standard input.")],
) -> None:
    """Make what a file says the client's configuration, and print what changed. It takes effect within seconds.

    To change one thing: threadline clients show shop --json > shop.json, edit it, set it.
    """
    from app.commands.clients import configure

    raise typer.Exit(configure(client, file))


@clients.command()
def account(
    client: ClientId,
    name: Name,
    adapter: Annotated[str, typer.Option(help="The provider's adapter: twilio, smtp, … (threadline providers).")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a setting that is no secret. Repeatable.")
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME asks for the value; NAME=@FILE and NAME=env:VARIABLE read it, so that it is in no history. "
            "Repeatable, also for one that is being rotated."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="The source its webhooks come under; by default the account's name.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The public URL at which the provider posts its webhooks.")] = None,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="It may be at a private address, as a gateway or a simulator of yours.")
    ] = False,
) -> None:
    """Add an account at a provider, or replace it as a whole. Its settings are kept encrypted and not shown again."""
    from app.commands.client_accounts import put

    raise typer.Exit(
        put(client, name, adapter, given=set_ or [], hidden=secret or [], source=source, url=url, trusted=trusted)
    )


@clients.command("remove-account")
def remove_account(client: ClientId, name: Name) -> None:
    """Remove an account; what was kept of it is gone. One that a channel goes by stays."""
    from app.commands.client_accounts import remove

    raise typer.Exit(remove(client, name))


@clients.command()
def reseal() -> None:
    """Put all accounts under the first of the keys, so that the older ones may go out of the settings."""
    from app.commands.client_accounts import reseal

    raise typer.Exit(reseal())


@clients.command()
def seed(
    file: Annotated[Path, typer.Argument(help="A TOML file.")],
) -> None:
    """Apply a file of clients and accounts. Again, it changes nothing: for deployments.

    \b
      \\[clients.shop]
      zone = "Europe/Lisbon"
      channels = \\[{ channel = "sms", account = "twilio" }]

    \b
      \\[clients.shop.accounts.twilio]
      adapter = "twilio"
      settings = { account_sid = "AC…", auth_token = "env:TWILIO_TOKEN" }

    A setting of "env:NAME" is that variable's value, of "@FILE" that file's. All is checked before anything is changed.
    """
    from app.commands.seed import run

    raise typer.Exit(run(file))
