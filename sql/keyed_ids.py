"""Replaces the ids that providers and services give, for the store: by HMAC-SHA-256 (RFC 2104) under a key of the client.

Such an id may hold an address (WhatsApp's is base64 with the number in it) or be made from one (`adapters.reading.facts.fact_id`). So no
provider's id is stored as it came: a list of harmless providers could be wrong about a new one. The key is derived from the client's root
key: somebody who has only the database can neither read an id nor try which id it is. Only the first 128 bits are stored: the
probability that two of a billion ids of a client share them is below 10^-20.

The id that people are shown is sealed beside the digest (`sql.sealed`).
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
        # These are copied for each id. `hmac` costs twice as much, and every event needs it twice.
        self._inner, self._outer = sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))

    def digest(self, id: str) -> str:
        """Return the digest that is stored in place of an id, as hexadecimal digits."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(as_stored(id))
        outer.update(inner.digest())
        return outer.hexdigest()[:_DIGITS]
