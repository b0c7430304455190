"""What is put aside for an operator beside a spool: records that Kafka refuses, and bytes that were changed on disk."""

import os
import time
from contextlib import suppress
from pathlib import Path

#: What it is by its file's name.
PATTERNS = ("*.refused", "*.damaged")
#: Seconds between two looks at whether an operator has taken away some of it.
BELIEVED = 5.0


class Aside:
    """The files in the folders under `root`: how many were added here, and the bytes of all. Blocks: it is run in a thread."""

    def __init__(self, root: Path) -> None:
        self.added = 0
        self.bytes = 0
        self._root = root
        self._weighed = 0.0

    @property
    def stale(self) -> bool:
        """Whether it is time to look again."""
        return bool(self.bytes) and time.monotonic() - self._weighed > BELIEVED

    def weigh(self) -> None:
        """Look how much there is."""
        sizes = 0
        for pattern in PATTERNS:
            for path in self._root.glob(f"*/{pattern}"):
                with suppress(FileNotFoundError):
                    sizes += path.stat().st_size
        self.bytes, self._weighed = sizes, time.monotonic()

    def write(self, path: Path, data: bytes) -> None:
        """Write one whole and synced, or not at all. Raises OSError."""
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
