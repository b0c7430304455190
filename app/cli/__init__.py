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
        kind = type(error).__name__
        if kind not in ("ValidationError", "TOMLDecodeError"):  # of libraries that only the commands import
            raise
        from app.settings import settings_file, worded

        words = worded(error) if kind == "ValidationError" else f"  {settings_file()}: {error}"
        print(f"threadline: the settings do not fit:\n{words}", file=sys.stderr)
        sys.exit(2)
