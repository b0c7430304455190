"""`threadline customers erase|hold|unhold|export`: what the law asks for of one customer, in the database."""

import typer

from app.cli.erasure.exporting import export
from app.cli.erasure.requesting import erase, hold, unhold

customers = typer.Typer(
    name="customers",
    no_args_is_help=True,
    help="Erase customers, hold them against erasure, and export what is kept of them.",
)
for _command in (erase, hold, unhold, export):
    customers.command(_command.__name__)(_command)
