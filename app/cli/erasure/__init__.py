"""`threadline erasure list|show|approve|refuse|verify|replay`: erasures that were requested, their receipts, and the search that checks them."""

import typer

from app.cli.erasure.deciding import approve, refuse
from app.cli.erasure.replaying import replay
from app.cli.erasure.showing import list_, show
from app.cli.erasure.verifying import verify

erasure = typer.Typer(
    name="erasure",
    no_args_is_help=True,
    help="Show erasures and their receipts, approve or refuse those that wait, search for what was erased, and repeat erasures after a restore.",
)
for _name, _command in (
    ("list", list_),
    ("show", show),
    ("approve", approve),
    ("refuse", refuse),
    ("verify", verify),
    ("replay", replay),
):
    erasure.command(_name)(_command)
