"""Keeps, beside the spool, records that Kafka refuses and bytes that are corrupt on disk, for an operator to look at."""

import os
import time
from contextlib import suppress
from pathlib import Path

#: File names of refused records and of corrupt bytes.
PATTERNS = ("*.refused", "*.damaged")
#: Seconds for which a measured size is believed before the folder is measured again.
BELIEVED = 5.0


class Aside:
    """The files set aside in the folders under `root`: how many this process added, and the size of all in bytes.

    Its methods block, so they run in a thread.
    """

    def __init__(self, root: Path) -> None:
        self.added = 0
        self.bytes = 0
        self._root = root
        self._weighed = 0.0

    @property
    def stale(self) -> bool:
        """Whether `bytes` should be measured again."""
        return bool(self.bytes) and time.monotonic() - self._weighed > BELIEVED

    def weigh(self) -> None:
        """Measure the size of all files."""
        sizes = 0
        for pattern in PATTERNS:
            for path in self._root.glob(f"*/{pattern}"):
                with suppress(FileNotFoundError):
                    sizes += path.stat().st_size
        self.bytes, self._weighed = sizes, time.monotonic()

    def write(self, path: Path, data: bytes) -> None:
        """Write one file completely and sync it, or leave none. Raises OSError."""
        before = path.stat().st_size if path.exists() else 0
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(file, rest) :]
                os.fsync(file)
            finally:
                os.close(file)
        except OSError:
            path.unlink(missing_ok=True)
            self.bytes -= before
            raise
        self.added += 1
        self.bytes += len(data) - before
