"""Replaces the names of a service's request, for the store: its idempotency key, and the fingerprint by which a repeat is compared.

Both are only compared, and never shown. A key may have an address in it, and a fingerprint is made from an address and a text that can
often be guessed. So both are HMAC-SHA-256 (RFC 2104) under keys that are derived from the client's root key: somebody who has only the
database can test guesses of neither.
"""

import hmac
from typing import Final

from sql.handles import as_stored

#: Separate these uses of the root key from others, and from each other.
_KEYS: Final = b"threadline idempotency keys"
_REQUESTS: Final = b"threadline fingerprints of requests"
_DIGITS: Final = 32


def keyed_name(key: str, root: bytes) -> str:
    """Return the digest that is stored in place of an idempotency key, as hexadecimal digits: the first 128 bits, as for others' ids."""
    return _digest(_KEYS, as_stored(key), root).hex()[:_DIGITS]


def keyed_mark(fingerprint: bytes, root: bytes) -> bytes:
    """Return the digest that is stored in place of a request's fingerprint."""
    return _digest(_REQUESTS, fingerprint, root)


def _digest(label: bytes, data: bytes, root: bytes) -> bytes:
    return hmac.digest(hmac.digest(root, label, "sha256"), data, "sha256")
