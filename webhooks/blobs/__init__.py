"""Large bodies of webhooks: kept in a store of their own, while their Kafka record holds a reference.

A blob is named by a digest of its client and its bytes, so that a redelivery is stored once and no client can name another
client's blob. Its bytes are sealed (`webhooks.blobs.sealed`). Blobs are deleted by age (`Blobs.sweep`), at the age at which raw webhooks are deleted. So are blobs
without a record, which a process leaves that is killed before it writes the record.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol

#: A blob's name: 64 hexadecimal digits.
NAME = re.compile(r"[0-9a-f]{64}")
#: What stands in place of a body that was read, and is not to be kept: so that a repeat of its webhook is known as such. Not
#: empty, since a range of an empty object cannot be asked for.
WITHHELD = b"read, and not to be kept"


class NoBlob(Exception):
    """The store has no blob of this name: it was deleted."""


class StoreAway(Exception):
    """The store cannot be reached or used now. The message says why, for the operator."""


class StoreFull(StoreAway):
    """The store has no room for the blob."""


class StoreMisconfigured(StoreAway):
    """The store answers, and refuses requests because of the settings: no such bucket, wrong credentials, no
    permission."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a record holds of a blob: its name, and its size in bytes."""

    name: str
    size: int


class Blobs(Protocol):
    """A store of blobs. Its methods block, so they are called in a thread; any number of processes may share a store."""

    def start(self) -> None:
        """Create what the store needs on this machine. Raises OSError."""
        ...

    def put(self, name: str, file: Path, size: int) -> None:
        """Store the content of a local file durably under this name; the file may be moved or deleted. It replaces a blob that
        exists already, which is the same body. Raises StoreAway and StoreFull."""
        ...

    def read(self, name: str) -> bytes:
        """Return a blob. Raises NoBlob and StoreAway."""
        ...

    def renew(self, name: str) -> None:
        """Count the blob as stored now, so that it is kept as long as the raw webhook that refers to it. Raises NoBlob and
        StoreAway."""
        ...

    def withhold(self, name: str) -> None:
        """Put `WITHHELD` in place of a blob. Raises StoreAway."""
        ...

    def sweep(self, older_than: float) -> int:
        """Delete what was stored more than `older_than` seconds ago; return how many. Raises StoreAway."""
        ...

    def temporary(self, small: int) -> IO[bytes]:
        """Return a nameless file for reading and writing, in memory up to `small` bytes, then on disk. Raises OSError."""
        ...


def name_of(client: str, digest: bytes) -> str:
    """Return the name of a blob, from its client and the SHA-256 of its bytes."""
    return sha256(client.encode("utf-8", "surrogatepass") + b"\0" + digest).hexdigest()


def matches(name: str, client: str, body: bytes) -> bool:
    """Return whether these bytes are the blob that the name stands for."""
    return name_of(client, sha256(body).digest()) == name
