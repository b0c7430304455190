"""The command line, `threadline`. Each command, or group of commands, is the module or package of its name."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (by default those of the process) name, and end with its exit code (SystemExit).

    Settings that do not fit are printed on standard error; the exit code is then 2.
    """
    from app.cli.program import program

    try:
        program(arguments, prog_name="threadline")
    except ValueError as error:
        if type(error).__name__ != "ValidationError":  # pydantic's, which only the commands import
            raise
        from app.settings import worded

        print(f"threadline: the settings do not fit:\n{worded(error)}", file=sys.stderr)
        sys.exit(2)
