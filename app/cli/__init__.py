"""The command line, `threadline`. Each command, or group of commands, is the module or package of its name."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (by default those of the process) name, and end with its exit code (SystemExit).

    Settings that cannot be used are printed on standard error, and why keys cannot be unwrapped; the exit code is then 2.
    """
    from app.cli.program import program

    try:
        program(arguments, prog_name="threadline")
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        from app.cli.support.terminal import print_error

        sys.exit(print_error(end.code))
    except Exception as error:
        from app.cli.support.terminal import MISUSED, print_error
        from app.keys.wrapping import KeysUnavailable
        from app.settings.loading import SettingsRefused

        if not isinstance(error, SettingsRefused | KeysUnavailable):
            raise
        sys.exit(print_error(f"threadline: {error}", MISUSED))
