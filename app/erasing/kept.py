"""Appends lines to files that are kept outside the database."""

import os
from pathlib import Path


def append_line(file: Path, line: bytes) -> None:
    """Append a line to a file, and wait until it is on disk. Raises OSError."""
    new = not file.exists()
    with file.open("ab+") as opened:
        if opened.tell():
            opened.seek(-1, os.SEEK_END)
            # A write that was cut off, as by a full disk, does not spoil the next one.
            line = line if opened.read(1) == b"\n" else b"\n" + line
        opened.write(line + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    if new:
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
