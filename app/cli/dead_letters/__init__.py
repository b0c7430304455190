"""`threadline dead-letters`: records that could not be processed."""

import typer

from app.cli.dead_letters.discarding import discard
from app.cli.dead_letters.listing import list_, show
from app.cli.dead_letters.replaying import replay

dead_letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    help="""Show, replay and discard dead letters: records that could not be processed, each with its reason.

\b
  threadline dead-letters list --group             by source, reason and shape
  threadline dead-letters list --source twilio     the latest
  threadline dead-letters show ID                  the reason and the record
  threadline dead-letters replay ID                process it again
  threadline dead-letters replay --source twilio   all not yet handled
  threadline dead-letters discard --source test --reason "test traffic"
""",
)
for name, command in (("list", list_), ("show", show), ("replay", replay), ("discard", discard)):
    dead_letters.command(name)(command)
