"""Replaces the ids that providers and services give, for the store: by HMAC-SHA-256 under a key of the client.

Such an id may hold an address (WhatsApp's is base64 with the number in it) or be made of one (`adapters.reading.facts.fact_id`), so
none is stored as it came, whichever the provider: there is no list of those that are harmless, which a new one could miss. The key
is derived from the client's root key: who has the database alone can neither read an id nor try which one it is. The first 128
bits stand for the whole: two ids of a client are the same digest by chance in one of 10^20 among a billion.

What a person is shown of it is sealed beside it (`sql.sealed`).
"""

import hmac

from sql.handles import as_stored

#: Separates this use of the root key from others.
_LABEL = b"threadline ids of others"
_DIGITS = 32


class IdKey:
    """The key of one client's ids."""

    __slots__ = ("_begun",)

    def __init__(self, root: bytes) -> None:
        """Derive the key from the client's root key."""
        # Copied for each id: to begin anew costs half as much again.
        self._begun = hmac.new(hmac.digest(root, _LABEL, "sha256"), digestmod="sha256")

    def digest(self, id: str) -> str:
        """Return what is stored in place of an id, as hexadecimal digits."""
        one = self._begun.copy()
        one.update(as_stored(id))
        return one.hexdigest()[:_DIGITS]
