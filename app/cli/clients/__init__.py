"""`threadline clients`: the configurations of clients, and their accounts at providers."""

import typer

from app.cli.clients.accounts import remove_account, reseal, set_account
from app.cli.clients.configuration import list_clients, set_client, show_client
from app.cli.clients.seed import seed

clients = typer.Typer(
    name="clients",
    no_args_is_help=True,
    help="""Show and change clients: configuration, versions, and provider accounts.

An example, which makes a client that sends SMS in Lisbon's working hours:

\b
  threadline clients account shop twilio --adapter twilio \\
    --set account_sid=AC… --set sender=+15550001111 \\
    --secret auth_token

\b
  threadline clients set shop --file - <<END
  zone = "Europe/Lisbon"
  channels = \\[{ channel = "sms", account = "twilio" }]
  windows.sms = { mon-fri = \\["09:00-20:00"] }
  holidays = \\["12-25", "01-01"]
  END

\b
  threadline clients show shop --history
""",
)
for name, command in (
    ("list", list_clients),
    ("show", show_client),
    ("set", set_client),
    ("account", set_account),
    ("remove-account", remove_account),
    ("reseal", reseal),
    ("seed", seed),
):
    clients.command(name)(command)
