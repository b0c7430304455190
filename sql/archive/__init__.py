"""The archive: old months of the log as Parquet files, written, read back, dropped from the database, and restored."""

from pathlib import Path
from typing import Protocol


class ArchiveError(Exception):
    """A month was not archived or restored; the message says why. Nothing was lost."""


class Files(Protocol):
    """Where the archive's files are. The methods block."""

    def put(self, name: str, file: Path) -> None:
        """Store a local file durably under this name, in place of one that is there. Raises ArchiveError."""
        ...

    def get(self, name: str, into: Path) -> None:
        """Write a file to this path. Raises ArchiveError, also where there is none."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file for good, if it is there. Raises ArchiveError."""
        ...
