"""The archive: old months of the log as Parquet files, written, read back, dropped from the database, and restored."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID


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


class Said(NamedTuple):
    """What archived events of a reference say: the `number` of the message that they tell of, when they began (`at`), and the least of
    the handles that they name, of people that the client knows (`user`) and of addresses (`address`)."""

    reference: UUID
    number: int
    at: datetime
    user: UUID | None
    address: UUID | None
