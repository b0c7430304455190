"""Hashes of the audit: an entry's leaf, a batch's Merkle tree (RFC 9162 section 2.1), and the head that chains batches. Pure.

Every value is encoded with its length before it, so that no two different entries have the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

#: Bytes of a hash, and the head before the first batch.
SIZE = 32
NOTHING = bytes(SIZE)

_ENTRY, _HEAD = b"threadline audit entry 1", b"threadline audit head 1"
#: The columns of an entry in the order of its encoding, as `audited_columns.sql` reads them.
_COLUMNS = (
    "position", "micros", "actor", "client_id", "action", "subject", "detail", "key_id", "address", "request_id", "why",
)  # fmt: skip


def encoded(values: Iterable[bytes | str | int | None]) -> bytes:
    """Return values as one byte string: each as its length in 8 bytes, then its bytes. Text is UTF-8, a number has 8 bytes. None is
    the greatest length without bytes, so that it differs from empty text."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"\xff" * 8)
            continue
        data = value.encode() if isinstance(value, str) else value
        data = data.to_bytes(8, "big", signed=True) if isinstance(data, int) else data
        parts.append(len(data).to_bytes(8, "big") + data)
    return b"".join(parts)


def leaf_of(entry: Mapping[str, Any], position: int | None = None) -> bytes:
    """Return the hash of an entry, which is a row of `audited_columns.sql`; with `position`, as if the entry were at that position."""
    at = entry["position"] if position is None else position
    return sha256(b"\x00" + encoded((_ENTRY, at, *(entry[name] for name in _COLUMNS[1:])))).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the Merkle tree over hashes of entries: MTH of RFC 9162 section 2.1.1."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    # Pairing from the left and passing on an odd last node gives the same tree as the recursive definition.
    while len(level) > 1:
        pairs = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def head_of(
    *, previous: bytes, batch: int, root: bytes, entries: int, first_position: int, last_position: int, micros: int
) -> bytes:
    """Return the head of a batch, which covers all batches before it by the `previous` head. `micros`: when it was sealed, in
    microseconds since 1970."""
    return sha256(encoded((_HEAD, previous, batch, root, entries, first_position, last_position, micros))).digest()
