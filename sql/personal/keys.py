"""Derives a key for each handle, and encrypts with it: AES-256-SIV (RFC 5297), which is deterministic and authenticated.

The key of a handle is HKDF-SHA-256 (RFC 5869) of its client's root key with the handle's random salt, and its id in the info.
Without the salt the key can never be derived again: deleting the salt makes the handle's data unreadable, also to those who have the
root key. Root keys are kept encrypted with the keys of the settings (`sql.naming`). So to retire a key of the settings, only one row
for each client must be encrypted again.

The same value in the same place of the same handle is always the same ciphertext, so that contents can be joined, repeated
events compared, and a rebuild has the same bytes. That discloses which values of one handle and place are equal, and how long
they are, and nothing across handles or places.

A sealed value is `version (1 byte) · id of the handle (16) · synthetic IV (16) · ciphertext`. It names its handle, since an
interaction may hold values of several.
"""

import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sql.personal.recent import Recent
from sql.sealing import Tampered

#: Bytes of a client's root key, and of a handle's salt.
ROOT_BYTES = SALT_BYTES = 32
#: Most seconds that a derived key is kept: after these the keys of an erased handle are gone from every process.
LIFETIME = 60.0
#: Separates this use of the root key from others.
_LABEL = b"threadline personal data of handle "
_VERSION = b"\x01"
_ID, _IV, _BYTES = 16, 16, 64
#: Bytes at the beginning of a sealed value that name its handle.
HEAD = len(_VERSION) + _ID


class HandleKey:
    """The key of one handle. `place` says where a value belongs (a column, or a path in a payload): it is the associated data,
    so that a value can only be decrypted in its own place."""

    __slots__ = ("_head", "_siv", "handle", "recent", "sealed")

    def __init__(self, handle: UUID, salt: bytes, root: bytes) -> None:
        """Derive the key of a handle from its salt and its client's root key."""
        if len(salt) != SALT_BYTES or len(root) != ROOT_BYTES:
            raise ValueError(f"a salt has {SALT_BYTES} bytes, a root key {ROOT_BYTES}")
        self.handle, self._head = handle, head_of(handle)
        #: The values that were sealed lately, by place and value (`sql.personal.payloads`).
        self.sealed: dict[tuple[bytes, str], str] = {}
        #: The memory in which the process keeps the values that it seals.
        self.recent: Recent | None = None
        self._siv = AESSIV(HKDF(SHA256(), _BYTES, salt, _LABEL + handle.bytes).derive(root))

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Encrypt."""
        return self._head + self._siv.encrypt(plain, [place])

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Decrypt. Raises Tampered."""
        if not sealed.startswith(self._head):
            raise Tampered("it belongs to another handle, or was not sealed by this version")
        try:
            return self._siv.decrypt(sealed[HEAD:], [place])
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than its IV
            raise Tampered("it was changed since it was sealed, or belongs to another place") from error


def head_of(handle: UUID) -> bytes:
    """Return the bytes with which every value begins that is sealed under the key of a handle."""
    return _VERSION + handle.bytes


def handle_of(sealed: bytes) -> UUID:
    """Return the handle whose key opens a sealed value. Raises Tampered if this cannot be a sealed value."""
    if len(sealed) < HEAD + _IV or not sealed.startswith(_VERSION):
        raise Tampered("it was not sealed by this version, or was cut short")
    return UUID(bytes=sealed[1:HEAD])


def new_salt() -> bytes:
    """Return the salt of a new handle."""
    return secrets.token_bytes(SALT_BYTES)


class HandleKeys:
    """The derived keys of handles, each kept for a short time.

    `most`: the number of keys that are kept; `lifetime`: the seconds for which each is kept; `now`: a monotonic clock in seconds.
    """

    def __init__(
        self, *, most: int = 16_384, lifetime: float = LIFETIME, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._lifetime, self._now = most, min(lifetime, LIFETIME), now
        #: The keys by the first bytes of the values that they open, since making and looking up a UUID is slow.
        self._kept: OrderedDict[bytes, tuple[float, bytes, HandleKey]] = OrderedDict()
        self._lock = Lock()
        self.recent = Recent(self._lifetime, now=now)

    def __len__(self) -> int:
        """Return how many derived keys are kept."""
        return len(self._kept)

    def kept(self, handle: UUID) -> HandleKey | None:
        """Return the key of a handle if it is kept."""
        return self.opening(head_of(handle))

    def opening(self, head: bytes) -> HandleKey | None:
        """Return the key of a sealed value that begins with these bytes (`HEAD` of them), if it is kept."""
        kept = self._kept.get(head)
        return kept[2] if kept is not None and kept[0] > self._now() else None

    def key(self, handle: UUID, salt: bytes, root: bytes, until: float = math.inf) -> HandleKey:
        """Return the key of a handle, and keep it, no longer than `until`: the salt may have been found a while ago."""
        now = self._now()
        kept = self._kept.get(head_of(handle))
        if kept is not None and kept[0] > now and kept[1] == salt:
            return kept[2]
        made = HandleKey(handle, salt, root)
        self.keep(made, salt, until)
        return made

    def keep(self, made: HandleKey, salt: bytes, until: float = math.inf) -> None:
        """Keep a key that was derived from a salt, no longer than `until`."""
        head = head_of(made.handle)
        made.recent = self.recent
        with self._lock:
            self._kept[head] = (min(self._now() + self._lifetime, until), salt, made)
            self._kept.move_to_end(head)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def drop(self, handle: UUID) -> None:
        """Forget the key of a handle that was erased. A key that is derived from its salt after this is kept again."""
        with self._lock:
            self._kept.pop(head_of(handle), None)
        self.recent.clear()

    def expire(self) -> None:
        """Forget the keys whose time is over, including those of handles that are not asked for again."""
        now = self._now()
        self.recent.expire()
        with self._lock:
            for head in [head for head, kept in self._kept.items() if kept[0] <= now]:
                del self._kept[head]
