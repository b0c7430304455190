"""`threadline messages`: messages, read and changed by the API."""

import typer

from app.cli.messages.changing import cancel, release
from app.cli.messages.showing import explain, list_, show

messages = typer.Typer(
    name="messages",
    no_args_is_help=True,
    help="""Show the state of messages, explain why one waits, cancel or release them.

\b
  threadline messages list --state unanswered
  threadline messages show order-1001
  threadline messages explain order-1001
  threadline messages cancel order-1001
  threadline messages release order-1001
  threadline messages cancel --state held --channel sms --older-than 2h
""",
)
for name, command in (
    ("list", list_),
    ("show", show),
    ("explain", explain),
    ("cancel", cancel),
    ("release", release),
):
    messages.command(name)(command)
