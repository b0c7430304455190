"""The ledger of erasures: a file outside the database with a line for each, by which they are repeated after a restore. A line has
random ids, and keyed digests of the addresses, by which they are found if webhooks are read again that came before the erasure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.erasing.signed import check, signed
from sql.holdings import Holding

_LABEL = b"threadline erasure of the ledger 1"
#: Most bytes of a line: a thousand handles have less.
MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """An erasure of the ledger."""

    erasure: UUID
    client: str
    customer: UUID
    handles: tuple[UUID, ...]
    digests: tuple[bytes, ...]
    #: When the customer had addresses whose keys stayed.
    emptied: tuple[Holding, ...] = ()
    #: The fence: what was said at an address later is another person's. None: of a line from before it was noted.
    fenced: datetime | None = None


def line_of(line: Line, key: Ed25519PrivateKey | None) -> bytes:
    """Return a line, without its end: JSON with `erasureId`, `clientId`, `customerId`, `handleIds`, `digests` (hexadecimal),
    `emptied`, `fencedAt`, `publicKey` and `signature`."""
    document = {
        "erasureId": str(line.erasure),
        "clientId": line.client,
        "customerId": str(line.customer),
        "handleIds": [str(handle) for handle in line.handles],
        "digests": sorted(digest.hex() for digest in line.digests),
        "emptied": [
            {
                "handleId": str(each.handle),
                "digest": each.digest.hex(),
                "from": each.since and each.since.isoformat(),
                "to": each.until.isoformat(),
            }
            for each in line.emptied
            if each.digest is not None
        ],
        "fencedAt": line.fenced and line.fenced.isoformat(),
    }
    return orjson.dumps(signed(_LABEL, document, key))


def read_line(text: bytes, keys: Sequence[Ed25519PublicKey] | None) -> Line:
    """Return a line of the ledger that one of the keys signed; None does not ask for a signature. Raises ValueError, with a message
    for people."""
    try:
        read = orjson.loads(text)
        line = Line(
            UUID(read["erasureId"]),
            str(read["clientId"]),
            UUID(read["customerId"]),
            tuple(UUID(handle) for handle in read["handleIds"]),
            tuple(bytes.fromhex(digest) for digest in read["digests"]),
            tuple(_holding(each) for each in read.get("emptied", ())),
            datetime.fromisoformat(read["fencedAt"]) if read.get("fencedAt") is not None else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("it is no erasure: a line of the ledger is JSON as it was written") from error
    if keys is not None:
        check(_LABEL, read, keys)
    return line


def read_ledger(file: Path, keys: Sequence[Ed25519PublicKey] | None) -> Iterator[Line]:
    """Yield the erasures of a ledger. Raises ValueError with the number of a line that is not sound, and OSError."""
    with file.open("rb") as opened:
        number = 0
        while text := opened.readline(MOST + 1):
            number += 1
            if len(text) > MOST:
                raise ValueError(f"line {number} of {file} is too long")
            if not text.strip():
                continue
            try:
                yield read_line(text, keys)
            except ValueError as error:
                raise ValueError(f"line {number} of {file}: {error}") from error


def _holding(read: dict[str, str]) -> Holding:
    since = datetime.fromisoformat(read["from"]) if read["from"] else None
    until, digest = datetime.fromisoformat(read["to"]), bytes.fromhex(read["digest"])
    return Holding(UUID(read["handleId"]), since, until, digest=digest)
