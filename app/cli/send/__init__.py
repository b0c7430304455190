"""`threadline send`: send one message that the options describe, or the messages of a file."""

from typing import Annotated

import typer

from app.cli.send.file import run_file
from app.cli.send.single import Single, run_one
from app.cli.support.api import Caller, ClientName, Key, Url


def send(
    text: Annotated[str | None, typer.Argument(help="The text of the message.")] = None,
    to: Annotated[str | None, typer.Option(help="The recipient: +15551234567, ana@example.com, …")] = None,
    channel: Annotated[
        str | None, typer.Option(help="sms, email, whatsapp, …; by default the client's configuration decides.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The subject of an e-mail.")] = None,
    template: Annotated[str | None, typer.Option(help="A template stored at the provider, in place of a text.")] = None,
    variable: Annotated[list[str] | None, typer.Option(help="NAME=VALUE of a template's variable. Repeatable.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The message's id: with one, sending again is safe.")] = None,
    priority: Annotated[str | None, typer.Option(help="high, normal or low.")] = None,
    not_before: Annotated[str | None, typer.Option(help="The earliest time to send it: 2026-02-03T09:00:00Z.")] = None,
    send_before: Annotated[str | None, typer.Option(help="The time after which it is not sent any more.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own reference, such as an order number.")] = None,
    category: Annotated[str | None, typer.Option(help="transactional, marketing, …")] = None,
    file: Annotated[
        str | None, typer.Option(help="A file of messages, one JSON object a line; - reads standard input.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, help="The most messages of a file to send in a second; 0: no limit.")
    ] = 0.0,
    run: Annotated[
        str,
        typer.Option(
            "--run", help="A name for this sending of a file: under another name, the same file is sent anew."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the messages, and send none.")] = False,
    key: Key = None,
    url: Url = None,
    client: ClientName = None,
) -> int:
    """Send a message, or a file of messages.

    \b
      threadline send --channel sms --to +15551234567 "On its way."
      threadline send --to ana@example.com --subject Hello "On its way."

    A file has one message a line, as POST /v1/messages accepts it (/docs lists all members):

    \b
      {"channel": "sms", "to": "+15551234567", "body": "Hello Ana"}
      {"to": "ben@example.com", "template": "shipped"}

    \b
      threadline send --file messages.jsonl --dry-run
      threadline send --file messages.jsonl --rate 100

    Each line is sent once, even if the command runs again after a crash.
    To send the same file to the same people anew, give another --run.
    The client's configuration decides when a message leaves.

    Exit code: 0; 1 where a message was refused or not all could be sent; 2 where the options do not fit.
    """
    caller = Caller(key, url, client)
    if file is not None:
        given = (text, to, subject, template, variable, id, priority, not_before, send_before, reference, category)
        return run_file(
            file, channel=channel, rate=rate, name=run, dry_run=dry_run, caller=caller, alone=not any(given)
        )
    single = Single(
        text, to, channel, subject, template, tuple(variable or ()), id, priority, not_before, send_before, reference,
        category,
    )  # fmt: skip
    return run_one(single, dry_run=dry_run, caller=caller)
