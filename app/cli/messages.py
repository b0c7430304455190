"""The options of `threadline send` and `threadline messages`."""

from typing import Annotated

import typer

Key = Annotated[
    str | None,
    typer.Option(
        envvar="THREADLINE_API_KEY",
        help="The API key, or @FILE that has it; by default that of the system that runs here.",
        show_envvar=True,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(envvar="THREADLINE_API_URL", help="The API's base URL; by default that of the system that runs here."),
]
MessageId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The message's id, as `send` prints it, or the Idempotency-Key of its request."),
]


def send(
    text: Annotated[str | None, typer.Argument(help="What to say.")] = None,
    to: Annotated[str | None, typer.Option(help="Whom: +15551234567, ana@example.com, …")] = None,
    channel: Annotated[
        str | None, typer.Option(help="sms, email, whatsapp, …; left out, the client's configuration decides.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Of an e-mail.")] = None,
    template: Annotated[
        str | None, typer.Option(help="A template that the provider keeps, in place of a text.")
    ] = None,
    variable: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the template. Repeatable.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The message's id: with one, sending again is safe.")] = None,
    priority: Annotated[str | None, typer.Option(help="high, normal or low.")] = None,
    not_before: Annotated[str | None, typer.Option(help="The earliest it may leave: 2026-02-03T09:00:00Z.")] = None,
    send_before: Annotated[str | None, typer.Option(help="When it is no longer worth sending.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own word for it.")] = None,
    category: Annotated[str | None, typer.Option(help="transactional, marketing, …")] = None,
    file: Annotated[
        str | None, typer.Option(help="Messages, one JSON object a line, in place of one; - reads standard input.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Messages of a file a second, at most; 0: no limit.")] = 0.0,
    run: Annotated[
        str, typer.Option("--run", help="Names the sending of a file: by another name, the same file is sent anew.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check each message here, and send none.")] = False,
    key: Key = None,
    url: Url = None,
) -> None:
    """Have a message sent, or a file of them.

    \b
      threadline send --channel sms --to +15551234567 "Your order is on its way."
      threadline send --to ana@example.com --subject Hello --id order-1001 "On its way."

    A file has one message a line, as POST /v1/messages takes it (/docs has all members):

    \b
      {"channel": "sms", "to": "+15551234567", "body": "Hello Ana"}
      {"to": "ben@example.com", "template": "shipped", "variables": {"order": "7"}}

    \b
      threadline send --file messages.jsonl --dry-run
      threadline send --file messages.jsonl --rate 100

    A line is sent once, however often the file is: after a crash, or with its bad lines mended, run the same again. To
    send the same file to the same people anew, give another --run. What leaves when is for the client's configuration.

    Exit code: 0, 1 where any was refused or not all could be asked for, 2 where the options do not fit.
    """
    from app.commands.send import Single, run_one
    from app.commands.send_file import run_file

    if file is not None:
        given = (text, to, subject, template, variable, id, priority, not_before, send_before, reference, category)
        raise typer.Exit(
            run_file(
                file, channel=channel, rate=rate, name=run, dry_run=dry_run, key=key, url=url, alone=not any(given)
            )
        )
    single = Single(
        text, to, channel, subject, template, tuple(variable or ()), id, priority, not_before, send_before, reference,
        category,
    )  # fmt: skip
    raise typer.Exit(run_one(single, dry_run=dry_run, key=key, url=url))


messages = typer.Typer(
    name="messages",
    no_args_is_help=True,
    help="""Messages: how far one is, why it waits, and what may be changed of that.

\b
  threadline messages list --state unanswered
  threadline messages show order-1001
  threadline messages explain order-1001
  threadline messages cancel order-1001
  threadline messages release order-1001
""",
)


@messages.command("list")
def list_(
    state: Annotated[
        str, typer.Option(help="unanswered, held, retrying, failed, expired or cancelled.")
    ] = "unanswered",
    limit: Annotated[int, typer.Option(min=1, help="How many, those that changed last first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    key: Key = None,
    url: Url = None,
) -> None:
    """List the key's client's messages in a state: those that wait for somebody, or ended without being sent."""
    from app.commands.messages import list_all

    raise typer.Exit(list_all(state, limit, as_json=as_json, key=key, url=url))


@messages.command("show")
def show(id: MessageId, key: Key = None, url: Url = None) -> None:
    """Print a message: its state, its times, and every attempt."""
    from app.commands.messages import show

    raise typer.Exit(show(id, key=key, url=url))


@messages.command("explain")
def explain(id: MessageId, key: Key = None, url: Url = None) -> None:
    """Say why a message waits and until when, as its client is configured now; or what became of it."""
    from app.commands.messages import explain

    raise typer.Exit(explain(id, key=key, url=url))


@messages.command("cancel")
def cancel(id: MessageId, key: Key = None, url: Url = None) -> None:
    """Cancel a message that waits. Exit code 1 where it is too late."""
    from app.commands.messages import change

    raise typer.Exit(change(id, "cancel", None, key=key, url=url))


@messages.command("release")
def release(
    id: MessageId,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send it again, though nobody knows whether it was sent.")
    ] = False,
    key: Key = None,
    url: Url = None,
) -> None:
    """Let a held message go at once, whatever its windows; or one whose provider never answered, with --resend."""
    from app.commands.messages import change

    raise typer.Exit(change(id, "release", {"resend": resend}, key=key, url=url))
