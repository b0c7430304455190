"""The form of a sealed record, and of its key: AES-256-GCM (NIST SP 800-38D).

A sealed record is `magic and version (5 bytes) · flags (1) · id of the key (16) · nonce (12) · ciphertext and tag`. With the flag `OWN`,
`the key, encrypted (68)` follows the id. The beginning up to the id, and the record's place (a topic, a table, …), are the associated
data. Nonces are random, 96 bits: a key may seal 2^32 records (section 8.3), which is 1.19 million a second for an hour.
"""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sql.sealing import Tampered

#: The beginning of a sealed record: no JSON, form, text in UTF-8 or zstd begins so.
MAGIC = b"\x93tlr\x01"
#: Flags: the body of the record's webhook is a blob; the key travels with the record.
LARGE, OWN = 1, 2
#: Bytes that sealing adds at most.
OVERHEAD = 118
_FLAGS, _ID, HEAD, _NONCE, _TAG, _WRAPPED = 5, 6, 22, 12, 16, 68


class Unopenable(Exception):
    """A record cannot be opened, neither now nor later. The message says why."""


class Destroyed(Unopenable):
    """The record's key was destroyed, as its retention had ended."""


class UnknownKey(Unopenable):
    """The table has no such key."""


class Key:
    """A key of records: its id (16 bytes), its bytes, and its encrypted form, if that travels with them (`own`)."""

    __slots__ = ("_cipher", "_heads", "id", "own")

    def __init__(self, id: bytes, key: bytes, own: bytes = b"") -> None:
        self.id, self.own, self._cipher = id, own, AESGCM(key)
        flags = OWN if own else 0
        self._heads = (MAGIC + bytes((flags,)) + id, MAGIC + bytes((flags | LARGE,)) + id)

    def seal(self, place: bytes, plain: bytes, *, large: bool = False) -> bytes:
        """Return a record sealed."""
        head, nonce = self._heads[large], os.urandom(_NONCE)
        return b"".join((head, self.own, nonce, self._cipher.encrypt(nonce, plain, head + place)))

    def open(self, data: bytes, place: bytes) -> bytes:
        """Return the record that was sealed with this key. Raises Tampered."""
        at = HEAD + len(self.own)
        try:
            return self._cipher.decrypt(data[at : at + _NONCE], data[at + _NONCE :], data[:HEAD] + place)
        except (InvalidTag, ValueError) as error:
            raise Tampered("it was changed since it was sealed, or was sealed for another place") from error


def is_sealed(data: bytes) -> bool:
    """Return whether this begins as a sealed record."""
    return data.startswith(MAGIC)


def is_sealed_large(data: bytes) -> bool:
    """Return whether this is the sealed record of a webhook whose body is a blob."""
    return data.startswith(MAGIC) and len(data) > _FLAGS and bool(data[_FLAGS] & LARGE)


def key_of(data: bytes) -> tuple[bytes, bytes]:
    """Return the id of a sealed record's key, and the encrypted key that the record carries; empty if the key is in the table. Raises
    Tampered."""
    own = len(data) > _FLAGS and data[_FLAGS] & OWN
    if len(data) < HEAD + (_WRAPPED if own else 0) + _NONCE + _TAG:
        raise Tampered("it was cut short since it was sealed")
    return data[_ID:HEAD], data[HEAD : HEAD + _WRAPPED] if own else b""


def table_key_of(data: bytes) -> UUID | None:
    """Return the id of the key in the table that opens a record; None for a record that is not sealed, or carries its key."""
    if not data.startswith(MAGIC) or len(data) < HEAD or data[_FLAGS] & OWN:
        return None
    return UUID(bytes=data[_ID:HEAD])
