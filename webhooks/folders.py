"""Gives each process its own numbered folder under a shared root, held by a file lock."""

import fcntl
import os
from pathlib import Path

from webhooks.segments import sync


def claim(root: Path) -> tuple[list[Path], list[int]]:
    """Lock a folder for this process, and every other folder that no process holds, since a dead process may have left
    files there.

    Returns the folders (the process writes to the first) and the locks: file descriptors to close at the end. The kernel
    releases a lock however its process ends. Raises OSError.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    there = sorted((path for path in root.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    mine: list[Path] = []
    locks: list[int] = []
    for folder in there:
        _lock(folder, mine, locks)
    number = 0
    while not mine:
        folder = root / str(number)
        if folder not in there:
            folder.mkdir(exist_ok=True, mode=0o700)
            _lock(folder, mine, locks)
        number += 1
    sync(root)
    return mine, locks


def _lock(folder: Path, mine: list[Path], locks: list[int]) -> None:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
    else:
        mine.append(folder)
        locks.append(file)
