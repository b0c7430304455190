"""The command line, `threadline`. Each command, or group of commands, is the module or package of its name."""

import errno
import os
import sys
from collections.abc import Sequence

#: Errors of an output that takes nothing more: a full disk or quota, the largest file, a device that fails.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` (by default those of the process) name, and end with its exit code (SystemExit).

    Settings that cannot be used are printed on standard error, and why keys cannot be unwrapped; the exit code is then 2. It is 1 if the
    output cannot be written.
    """
    from app.cli.program import program

    try:
        try:
            program(arguments, prog_name="threadline")
        finally:
            sys.stdout.flush()  # Python itself would do it after the exit code was chosen
    except SystemExit as end:
        if not isinstance(end.code, str):
            raise
        from app.cli.support.terminal import print_error

        sys.exit(print_error(end.code))
    except Exception as error:
        from app.cli.support.terminal import MISUSED, print_error
        from app.keys.wrapping import KeysUnavailable
        from app.settings.loading import SettingsRefused

        if isinstance(error, OSError) and error.errno in _FULL:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes at its end what is left
            words = f"threadline: {error.strerror}: the output is incomplete. What the command had done is done."
            sys.exit(print_error(words))
        if not isinstance(error, SettingsRefused | KeysUnavailable):
            raise
        sys.exit(print_error(f"threadline: {error}", MISUSED))
