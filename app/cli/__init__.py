"""The command line. Each command is one module in `app/commands`, imported when it is called, so that `--help` is quick."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.callbacks import callbacks
from app.cli.clients import clients
from app.cli.dead_letters import dead_letters
from app.cli.gaps import gaps
from app.cli.messages import messages, send
from app.cli.new_provider import new_provider
from app.cli.recipients import recipients
from app.cli.simulate import simulate

app = typer.Typer(
    name="threadline",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Every provider's webhooks, every service's events, one timeline per customer. Start with: threadline up",
)
keys = typer.Typer(name="keys", no_args_is_help=True, help="API keys: create one, list them, revoke one.")
for command in (send, simulate, new_provider):
    app.command()(command)
for group in (callbacks, clients, dead_letters, gaps, keys, messages, recipients):
    app.add_typer(group)


@app.command()
def up(
    prepare: Annotated[bool, typer.Option("--prepare", help="Fetch and set up everything, start nothing.")] = False,
) -> None:
    """Run all of it here: PostgreSQL, Kafka, the HTTP process and the worker, under one supervisor. Ctrl-C stops all."""
    from app.commands.up import run

    raise typer.Exit(run(prepare=prepare))


@app.command()
def serve() -> None:
    """Run the HTTP process: the webhook door and the API."""
    from app.commands.serve import run

    raise typer.Exit(run())


@app.command()
def work() -> None:
    """Run the stream process: Kafka to events and timelines."""
    from app.commands.work import run

    raise typer.Exit(run())


@app.command()
def mqtt(
    source: Annotated[str | None, typer.Option(help="One source; all that have a broker if left out.")] = None,
    to: Annotated[
        str | None, typer.Option(help="The base URL of the HTTP process, if it is not on this machine.")
    ] = None,
) -> None:
    """Subscribe to MQTT brokers, and post what devices publish to the webhook door."""
    from app.commands.mqtt import run

    raise typer.Exit(run(source, to=to))


@app.command()
def migrate() -> None:
    """Bring the database's schema and roles up to date. Safe to run again."""
    from app.commands.migrate import run

    raise typer.Exit(run())


@app.command()
def topics() -> None:
    """Create the Kafka topics that are missing, and show all of them."""
    from app.commands.topics import run

    raise typer.Exit(run())


@app.command()
def rebuild() -> None:
    """Compute every interaction again from the log, beside the live table, then swap it in. Events may keep coming."""
    from app.commands.rebuild import run

    raise typer.Exit(run())


@app.command()
def demo() -> None:
    """Post signed provider requests through the front door, scrambled and some twice, and print the timeline."""
    from app.commands.demo import run

    raise typer.Exit(run())


@app.command()
def doctor() -> None:
    """Is everything reachable, configured and in step? Says what to do where it is not."""
    from app.commands.doctor import run

    raise typer.Exit(run())


@app.command()
def providers(
    name: Annotated[str | None, typer.Argument(help="One of them, to see it in full.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/providers.md.")] = False,
) -> None:
    """What is covered: each provider's channels, signature, what it tells, and whether it sends."""
    from app.commands.providers import run

    raise typer.Exit(run(name, as_json=as_json, markdown=markdown))


@app.command()
def settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="As the page docs/settings.md.")] = False,
) -> None:
    """Every setting: its name in the file and in the environment, its default, and what it is for."""
    from app.commands.settings import run

    raise typer.Exit(run(markdown=markdown))


@app.command()
def timeline(
    customer: Annotated[str, typer.Argument(help="A customer's id, or a handle: +15551234567, ana@example.com.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many interactions, newest first.")] = 50,
    client: Annotated[
        str | None,
        typer.Option(help="The client id whose customer it is; by default that of THREADLINE_API_KEY, else default."),
    ] = None,
) -> None:
    """Print one customer's timeline."""
    from app.commands.timeline import run

    raise typer.Exit(run(customer, limit=limit, client=client))


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="One HTTP request as it came: request line, headers, blank line, body.")],
    source: Annotated[
        str | None, typer.Option(help="The source it is for; recognised from the request if left out.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the source, e.g. auth_token=…; NAME=@FILE reads it from a file. Repeatable."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="The public URL the provider posted to.")] = None,
    at: Annotated[
        str | None, typer.Option(help="Judge a signature's age as of this time (ISO 8601 or Unix seconds).")
    ] = None,
) -> None:
    """Say what Threadline makes of one webhook: its source, whether it is authentic, its answer and its events, as JSON.

    Needs no server. Exit code: 0, 3 where it is not authentic, 4 where it cannot be understood.
    """
    from app.commands.explain import run

    raise typer.Exit(run(file, source=source, settings=setting or [], url=url, at=at))


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="timeline:read (the default), clients:read, …; repeatable. A wrong one is told all."),
    ] = None,
    client: Annotated[
        str | None, typer.Option(help="The client id it acts for; by default that of THREADLINE_API_KEY, else default.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends by itself: 90d, 2027-01-31, or a time. Without it: never.")
    ] = None,
) -> None:
    """Create a key and print it, this once; only its hash is stored."""
    from app.commands.keys import create

    raise typer.Exit(create(name, scopes=scope or ["timeline:read"], client=client, expires=expires))


@keys.command("list")
def keys_list(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List the keys, never their secrets: whose they are, their scopes, when each was last used and when it ends."""
    from app.commands.keys import show

    raise typer.Exit(show(as_json=as_json))


@keys.command("revoke")
def keys_revoke(key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")]) -> None:
    """Revoke a key. It is refused within a minute everywhere."""
    from app.commands.keys import revoke

    raise typer.Exit(revoke(key))


def main() -> None:
    """The entry point `threadline`. Settings that do not fit are said in words, and end it with 2."""
    try:
        app()
    except ValueError as error:
        if type(error).__name__ != "ValidationError":  # pydantic's, which only the commands import
            raise
        from app.settings import worded

        print(f"threadline: the settings do not fit:\n{worded(error)}", file=sys.stderr)
        sys.exit(2)
