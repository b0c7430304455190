"""Anchors of the audit: the head of a batch, signed, as one line of JSON that is kept outside the database. Pure.

The owner of the database can write the whole chain anew with correct hashes, but not what a file, an endpoint or a topic already has.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sql.audit import micros_of
from sql.audit_chain import SIZE, encoded

#: Bytes of a private and of a public key (RFC 8032 section 5.1.5).
KEY_BYTES = 32
_ANCHOR = b"threadline audit anchor 1"
#: What every line begins with.
_START = b'{"batch":'


@dataclass(frozen=True, slots=True)
class Anchor:
    """The batch of this number had this head at a time, and all batches up to it had `entries` entries."""

    batch: int
    head: bytes
    entries: int
    at: datetime

    def signed_bytes(self) -> bytes:
        """Return what is signed."""
        return encoded((_ANCHOR, self.batch, self.head, self.entries, micros_of(self.at)))


def new_key() -> str:
    """Return a new private key: base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def private_key(text: str) -> Ed25519PrivateKey:
    """Return the private key of its base64. Raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(_bytes(text))


def public_key(text: str) -> Ed25519PublicKey:
    """Return the public key of its base64. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(_bytes(text))


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the base64 of the public key that belongs to a private one."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def line_of(anchor: Anchor, key: Ed25519PrivateKey) -> bytes:
    """Return the line of an anchor, without its end: JSON with `batch`, `head` (hexadecimal), `entries`, `at` (RFC 3339),
    `publicKey` and `signature` (base64)."""
    return orjson.dumps(
        {
            "batch": anchor.batch,
            "head": anchor.head.hex(),
            "entries": anchor.entries,
            "at": anchor.at.isoformat(),
            "publicKey": public_text(key),
            "signature": base64.b64encode(key.sign(anchor.signed_bytes())).decode(),
        }
    )


def anchor_of(line: bytes | str, keys: Sequence[Ed25519PublicKey]) -> Anchor:
    """Return the anchor of a line that one of the keys signed. Raises ValueError, with a message for people."""
    try:
        read: dict[str, Any] = orjson.loads(line)
        anchor = Anchor(
            int(read["batch"]), bytes.fromhex(read["head"]), int(read["entries"]), datetime.fromisoformat(read["at"])
        )
        content, signature = anchor.signed_bytes(), base64.b64decode(read["signature"], validate=True)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError("it is no anchor: an anchor is a line of JSON as the worker wrote it") from error
    if len(anchor.head) != SIZE or not any(_signed(key, signature, content) for key in keys):
        raise ValueError("its signature is not by a key that was given: it was changed, or signed with another key")
    return anchor


def is_cut(line: bytes) -> bool:
    """Return whether a line is the beginning of an anchor, as a write leaves it that a full disk or the end of the worker cut off."""
    return not line.endswith(b"}") and line.startswith(_START[: len(line)])


def _signed(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _bytes(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if len(data) != KEY_BYTES:
        raise ValueError(f"must be base64 of {KEY_BYTES} bytes; make one with: threadline audit key")
    return data
