"""Derives a key for each handle, and encrypts with it: AES-256-SIV (RFC 5297), which is deterministic and authenticated.

The key of a handle is HKDF-SHA-256 (RFC 5869) of a key of the settings (`secrets.keys`) with the handle's random salt, and its
id in the info. Without the salt it can never be derived again: deleting the salt makes the handle's data unreadable, also to
those who have the keys of the settings.

The same value in the same place of the same handle is always the same ciphertext, so that contents can be joined, repeated
events compared, and a rebuild has the same bytes. That discloses which values of one handle and place are equal, and how long
they are, and nothing across handles or places. A salt names the key that it was made for, so that this holds after a new key
was put in front: the handle's data stay under the key with which they began.

A sealed value is `version (1 byte) · id of the key of the settings (8) · synthetic IV (16) · ciphertext`.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sql.sealing import MAKE_ONE, NoKey, Tampered, id_of

#: Bytes of a salt: the id of a key of the settings, and what is random.
SALT_BYTES = 24
#: Most seconds that a derived key is kept, so that those of an erased handle are gone by then in every process.
LIFETIME = 60.0
#: Separates this use of the keys from their others.
_LABEL = b"threadline personal data of handle "
_VERSION = b"\x01"
_ID, _IV, _BYTES = 8, 16, 64
_HEAD = len(_VERSION) + _ID


class HandleKey:
    """The key of one handle. `place` says where a value belongs (a column, or a path in a payload): it is the associated data,
    so that a value can only be decrypted in its own place."""

    __slots__ = ("_derive", "_head", "_opening", "_siv")

    def __init__(self, derive: Callable[[bytes], AESSIV], id: bytes) -> None:
        """Take what derives this handle's cipher from the key of the settings with an id, and the id of the one that seals.
        Raises NoKey."""
        self._derive, self._head = derive, _VERSION + id
        self._siv = derive(id)
        self._opening = {self._head: self._siv}

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt."""
        return self._head + self._siv.encrypt(plain, [place])

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt. Raises NoKey, or Tampered."""
        head = sealed[:_HEAD]
        siv = self._opening.get(head)
        if siv is None:
            if len(sealed) < _HEAD + _IV or not head.startswith(_VERSION):
                raise Tampered("it was not sealed by this version, or was cut short")
            siv = self._opening[head] = self._derive(head[1:])
        try:
            return siv.decrypt(sealed[_HEAD:], [place])
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than its IV
            raise Tampered("it was changed since it was sealed, or belongs to another handle or place") from error


class HandleKeys:
    """Derives the keys of handles from the keys of the settings, and keeps the last ones for a short time.

    `most`: the number of keys that are kept, `lifetime`: the seconds for which one is; `now`: a monotonic clock in seconds.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        most: int = 16384,
        lifetime: float = LIFETIME,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = {id_of(key): key for key in keys}
        self._first = next(iter(self._keys), None)
        self._most, self._lifetime, self._now = most, min(lifetime, LIFETIME), now
        self._kept: OrderedDict[UUID, tuple[float, bytes, HandleKey]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many derived keys are kept."""
        return len(self._kept)

    def new_salt(self) -> bytes:
        """Return the salt of a new handle, whose data will be under the first key. Raises NoKey."""
        if self._first is None:
            raise NoKey(MAKE_ONE)
        return self._first + secrets.token_bytes(SALT_BYTES - _ID)

    def key(self, handle: UUID, salt: bytes) -> HandleKey:
        """Return the key of a handle. Raises NoKey if the key of the settings that the salt names is not there."""
        now = self._now()
        kept = self._kept.get(handle)
        if kept is not None and kept[0] > now and kept[1] == salt:
            return kept[2]
        made = HandleKey(lambda id: self._cipher(handle, salt, id), salt[:_ID])
        with self._lock:
            self._kept[handle] = (now + self._lifetime, salt, made)
            self._kept.move_to_end(handle)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made

    def drop(self, handle: UUID) -> None:
        """Forget the key of a handle that was erased. What is derived from its salt after this is kept again."""
        with self._lock:
            self._kept.pop(handle, None)

    def expire(self) -> None:
        """Forget the keys whose time is over, also of handles that are not asked for again. To be called once a second or so."""
        now = self._now()
        with self._lock:
            while self._kept and next(iter(self._kept.values()))[0] <= now:
                self._kept.popitem(last=False)

    def _cipher(self, handle: UUID, salt: bytes, id: bytes) -> AESSIV:
        key = self._keys.get(id)
        if key is None:
            raise NoKey(f"it was sealed with the key {id.hex()}, which is not there: put it back into secrets.keys")
        if len(salt) != SALT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes")
        return AESSIV(HKDF(SHA256(), _BYTES, salt[_ID:], _LABEL + handle.bytes).derive(key))
