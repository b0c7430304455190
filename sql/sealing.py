"""Encrypts secrets at rest that must be read again: AES-256-GCM (NIST SP 800-38D), keys from the settings.

A sealed value is `key id (8 bytes) · nonce (12) · ciphertext and tag`. The context (the secret's owner and name) is the
associated data, so that a value can only be decrypted in its own place. Nonces are random, 96 bits: a key may encrypt 2^32
values (section 8.3).
"""

import base64
import secrets
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Bytes of a key.
KEY_BYTES = 32
#: What to do if there is no key.
MAKE_ONE = (
    "there is no key to encrypt secrets and personal data with. Make one: openssl rand -base64 32 (or threadline secrets "
    'create), and give it to both programs and to this one: THREADLINE_SECRETS__KEYS=\'["…"]\', or keys = ["…"] under [secrets] in threadline.toml. '
    "(threadline up makes one on its own.)"
)
_ID, _NONCE, _TAG = 8, 12, 16


class NoKey(Exception):
    """No key is configured, or the key that encrypted this value is not. The message says what to do."""


class Tampered(Exception):
    """The value was changed, or belongs to another context."""


class Seal:
    """Encrypts with the first of the keys (32 bytes each) and decrypts with any of them, so that keys can be rotated."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {id_of(key): AESGCM(key) for key in keys}
        self._first = id_of(keys[0]) if keys else None

    @property
    def key_id(self) -> str:
        """The id of the key that encrypts, 16 hexadecimal digits. Raises NoKey."""
        return self._sealing().hex()

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt. Raises NoKey."""
        id, nonce = self._sealing(), secrets.token_bytes(_NONCE)
        return id + nonce + self._keys[id].encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Decrypt. Raises NoKey, or Tampered."""
        id, nonce = sealed[:_ID], sealed[_ID : _ID + _NONCE]
        if len(sealed) < _ID + _NONCE + _TAG:
            raise Tampered("too short to have been sealed here")
        if id not in self._keys:
            raise NoKey(f"it was sealed with the key {id.hex()}, which is not there: put it back into secrets.keys")
        try:
            return self._keys[id].decrypt(nonce, sealed[_ID + _NONCE :], context.encode())
        except InvalidTag as error:
            raise Tampered("it was changed since it was sealed, or was sealed for another place") from error

    def renewed(self, sealed: bytes, context: str) -> bytes | None:
        """Return the value encrypted with the first key; None if it is encrypted with that key already. Raises NoKey, or Tampered."""
        return None if sealed[:_ID] == self._sealing() else self.seal(self.unseal(sealed, context), context)

    def _sealing(self) -> bytes:
        if self._first is None:
            raise NoKey(MAKE_ONE)
        return self._first


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key that decrypts the value, 16 hexadecimal digits."""
    return sealed[:_ID].hex()


def new_key() -> str:
    """Return a new key in the form of the settings: base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def id_of(key: bytes) -> bytes:
    """Return the id of a key, 8 bytes. It is a digest of 256 random bits, which discloses nothing of them."""
    return sha256(b"threadline key " + key).digest()[:_ID]
