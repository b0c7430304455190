"""Run a program that cannot outlive who started it: `python -I -S tether.py PARENT SIGNAL UID GID PROGRAM ARGUMENT…`.

Asks the kernel for SIGNAL when the parent dies (prctl(2), PR_SET_PDEATHSIG), takes on UID and GID where they are not
`-`, then becomes PROGRAM. A script of its own, and not a `preexec_fn`, because Python code between fork and exec is
unsafe where the parent has threads. Imports nothing of ours: it must start in milliseconds.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def tie(parent: int, signal: int) -> None:
    """Have the kernel send `signal` when the parent dies. Raises SystemExit if it is dead already."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
            raise SystemExit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        raise SystemExit("the process that started this one is gone")


def main() -> None:
    """Become the program, or exit with a line on standard error. Never returns."""
    parent, signal, uid, gid, *program = sys.argv[1:]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    tie(int(parent), int(signal))  # after setuid, which clears it
    try:
        os.execvp(program[0], program)
    except OSError as error:
        raise SystemExit(f"cannot run {program[0]}: {error.strerror}") from error


if __name__ == "__main__":
    main()
