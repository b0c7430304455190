"""Replaces the ids that providers and services give, for the store: by HMAC-SHA-256 (RFC 2104) under a key of the client.

Such an id may hold an address (WhatsApp's is base64 with the number in it) or be made of one (`adapters.reading.facts.fact_id`), so
none is stored as it came, whichever the provider: there is no list of those that are harmless, which a new one could miss. The key
is derived from the client's root key: who has the database alone can neither read an id nor try which one it is. The first 128
bits stand for the whole: that two of a billion ids of a client have the same is less likely than one in 10^20.

What a person is shown of it is sealed beside it (`sql.sealed`).
"""

import hmac
from hashlib import sha256

from sql.handles import as_stored

#: Separates this use of the root key from others.
_LABEL = b"threadline ids of others"
_DIGITS = 32
_INNER, _OUTER = (bytes(at ^ pad for at in range(256)) for pad in (0x36, 0x5C))


class IdKey:
    """The key of one client's ids."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, root: bytes) -> None:
        """Derive the key from the client's root key."""
        key = hmac.digest(root, _LABEL, "sha256").ljust(64, b"\0")
        # Copied for each id: `hmac` costs twice as much, of which every event would pay two.
        self._inner, self._outer = sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))

    def digest(self, id: str) -> str:
        """Return what is stored in place of an id, as hexadecimal digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(as_stored(id))
        outer.update(inner.digest())
        return outer.hexdigest()[:_DIGITS]
