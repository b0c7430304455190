"""The program `threadline`: its commands, each imported when it is run, so that `threadline --help` is quick."""

from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

#: Each command, in the order of `threadline --help`, with the first paragraph of its own help; a test compares the two.
#: `dead-letters` is the function or the group `dead_letters` of the module `app.cli.dead_letters`.
COMMANDS = {
    "up": "Run everything on this machine: PostgreSQL, Kafka, the HTTP process and the worker. Ctrl-C stops all.",
    "demo": "Post signed provider webhooks to the HTTP process, shuffled and some twice, and print the timelines.",
    "doctor": "Check that everything is reachable, configured and up to date, and print what to do where it is not.",
    "providers": "List the providers: channels, signature, events, and whether Threadline can send by them.",
    "events": "List the event types: what each means, who writes it, its fields, and an example.",
    "settings": "List the settings and what each is for; show what is set, and by what; check the file.",
    "send": "Send a message, or a file of messages.",
    "messages": "Show the state of messages, explain why one waits, cancel or release them.",
    "timeline": "Print one customer's timeline.",
    "customers": "Show customers with all their handles; merge, split, erase, hold and export them.",
    "recipients": "Show and change recipients: consent by channel, and time zone.",
    "erasure": "Show erasures and their receipts, approve or refuse those that wait, search for what was erased, and repeat erasures after a restore.",
    "clients": "Show and change clients: configuration, versions, and provider accounts.",
    "callbacks": "Show and change callbacks: the webhooks that report to clients what became of their messages.",
    "audit": "Show who did what, check that nobody changed it since, and make the key that signs its anchors.",
    "keys": "Create, list, rotate and revoke API keys.",
    "login": "Log in to the API as a person, with a browser.",
    "logout": "Forget what `threadline login` got, and ask the issuer to take it back.",
    "secrets": "Make, wrap and list the keys that encrypt secrets and personal data in the database.",
    "dead-letters": "Show, replay and discard dead letters: records that could not be processed, each with its reason.",
    "gaps": "List gaps: records that Kafka deleted before they were read.",
    "explain": "Explain one webhook from a file: its source, whether it is authentic, the answer and the events, as JSON.",
    "simulate": "Simulate a provider: accept sends by its API, and post signed webhooks about them.",
    "serve": "Run the HTTP process: the webhook endpoint and the API.",
    "work": "Run the stream process, which turns Kafka records into events and timelines, and sends messages.",
    "mqtt": "Subscribe to MQTT brokers, and post what devices publish to the webhook endpoint.",
    "migrate": "Apply the missing migrations to the database's schema and roles. Safe to repeat.",
    "topics": "Create the missing Kafka topics, and list all of them.",
    "restored": "After the database was restored: read Kafka again from a time, and hold messages that may have been sent.",
    "new-provider": "Create the files of a new provider: adapter, page, simulator and fixture. Run it in a checkout.",
    "retention": "Show how long rows are kept, and how many are due to be removed; --run removes them now.",
    "archive": "Show the months of the log and where they are; --run archives those that are due.",
    "rebuild": "Rebuild the interactions from the event log, in a table beside the live one, then swap the two.",
}  # fmt: skip

#: Names by which other programs call what a command here does.
MEANT = {
    "check": "doctor", "config": "settings", "consents": "recipients", "dlq": "dead-letters", "erase": "customers erase",
    "health": "doctor", "init": "up", "run": "up", "start": "up", "status": "doctor", "test": "demo", "users": "customers",
}  # fmt: skip
#: What asks for the help of every command.
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The group of all commands. It lists them by COMMANDS, and imports the one that is run."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=words) for name, words in COMMANDS.items()}

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of `threadline` itself."""
        return _bare(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Return the name of the command that `args` begin with, the imported command, and the rest of `args`."""
        if (meant := MEANT.get(args[0])) is not None and args[0] not in self.commands:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{meant}'?")
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and listed else None, rest

    def invoke(self, ctx: Any) -> None:
        """Run the command; the number that it returns is the exit code."""
        ctx.exit(super().invoke(ctx) or 0)


def load(name: str) -> Any:
    """Import the command of a name in COMMANDS and return it as a click command."""
    attribute = name.replace("-", "_")
    found = getattr(import_module(f"app.cli.{attribute}"), attribute)
    if isinstance(found, typer.Typer):
        return _reflowed(get_group(found))
    one = typer.Typer(add_completion=False)
    one.command(name)(found)
    return _reflowed(get_command(one))


def _reflowed(command: Any) -> Any:
    """Return the command, its help and that of its own commands without the line breaks of the source within paragraphs, which
    the terminal's width need not fit. Examples, which are indented or after a backspace, keep theirs."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(
        each.rstrip() if "\b" in each or "\n " in f"\n{each}" else " ".join(each.split()) for each in paragraphs
    )
    if (
        "\b" in command.help.rpartition("\n\n")[2]
    ):  # else typer takes the indentation of examples with nothing after them
        command.help += "\n\b"
    _bare(command.get_params(typer.Context(command, **HELP)))
    for one in getattr(command, "commands", {}).values():
        _reflowed(one)
    return command


def _bare(options: list[Any]) -> list[Any]:
    """Return the options, with the flags among them to be shown bare: as `--yes <bool>` they seem to take a value."""
    for one in options:
        if getattr(one, "is_flag", False):
            one.metavar = ""
    return options


def _print_version(asked: bool) -> None:
    if asked:
        print(f"threadline {version('threadline')}")
        raise typer.Exit


program = typer.Typer(
    name="threadline",
    cls=Commands,
    no_args_is_help=True,
    context_settings=HELP,  # of every command: contexts inherit it
    pretty_exceptions_enable=False,
    help="Every provider's webhooks, every service's events, one timeline per customer. Start with: threadline up",
)


@program.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold the options of `threadline` itself."""
