"""The form of API keys. Pure.

A key is `tl_live_` or `tl_test_`, 256 random bits in 43 digits of base 62, and the CRC-32 of all before it in 6 digits. The prefix lets
scanners find a key that was published, and the checksum refuses a mistyped one without a query. A key's id, by which its row is found,
and its hash, which is stored, are both SHA-256 of the key. As the secret is random, one round suffices: slow, salted hashes (bcrypt,
Argon2) protect passwords that people choose; here they would only let callers exhaust the service.
"""

import re
import secrets
import string
from hashlib import sha256
from typing import Literal, get_args
from uuid import UUID
from zlib import crc32

Kind = Literal["live", "test"]

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
#: Digits in base 62 of 256 bits, and of 32.
_SECRET, _CHECK = 43, 6
_FORM = re.compile(rf"tl_({'|'.join(get_args(Kind))})_[0-9A-Za-z]{{{_SECRET + _CHECK}}}", re.ASCII)
#: The form of keys before there was a checksum.
_FORMER = re.compile(r"tl_[0-9a-f]{32}_[0-9a-f]{64}", re.ASCII)


def mint(kind: Kind = "live") -> tuple[UUID, str, bytes]:
    """Make a new key: its id, the token to show once, and the hash to store."""
    head = f"tl_{kind}_{_base62(secrets.randbits(256), _SECRET)}"
    token = head + _check(head)
    return id_of(token), token, fingerprint(token)


def id_of(token: str) -> UUID:
    """Return the id of a token's key. It is no part of the stored hash."""
    return UUID(bytes=sha256(b"id of " + token.encode()).digest()[:16])


def fingerprint(token: str) -> bytes:
    """Return the hash of a token that is stored: 32 bytes."""
    return sha256(token.encode()).digest()


def fault_of(token: str, kind: Kind | None = None) -> str | None:
    """Return what is wrong with the form of a token, in a sentence for its holder, or None. `kind`: the kind that it must have."""
    if not (match := _FORM.fullmatch(token)):
        if _FORMER.fullmatch(token):
            return "This API key has a form that is no longer accepted. Make a new one: threadline keys create NAME."
        return "This is not an API key: one has the form tl_live_… and 49 letters and digits."
    if token[-_CHECK:] != _check(token[:-_CHECK]):
        return "This API key was mistyped or cut: its checksum is wrong."
    if kind is not None and match[1] != kind:
        return f"This is a {match[1]} key, and this system takes {kind} keys."
    return None


def _check(head: str) -> str:
    return _base62(crc32(head.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
