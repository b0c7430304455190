"""`threadline audit list|export|verify|key`: who did what, and whether anybody changed it since."""

import typer

from app.cli.audit.listing import export, list_
from app.cli.audit.verifying import key, verify

audit = typer.Typer(
    name="audit",
    no_args_is_help=True,
    help="Show who did what, check that nobody changed it since, and make the key that signs its anchors.",
)
for _name, _command in (("list", list_), ("export", export), ("verify", verify), ("key", key)):
    audit.command(_name)(_command)
