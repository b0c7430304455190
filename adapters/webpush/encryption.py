"""Encrypts messages for web push (RFC 8291), in the content coding aes128gcm (RFC 8188) with one record."""

import hmac

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: The size of the one record, as the header states it; a push service accepts bodies of 4096 bytes (RFC 8030 section
#: 7.2).
RECORD = 4096
#: Bytes of plain text that fit: without the header (salt, size, the sender's key), the padding delimiter and the
#: tag.
MAX_PLAINTEXT = RECORD - (16 + 4 + 1 + 65) - 1 - 16


def encrypt(
    plaintext: bytes, p256dh: bytes, auth: bytes, *, salt: bytes, private_key: EllipticCurvePrivateKey
) -> bytes:
    """Return the request body for a subscription with the keys `p256dh` (an uncompressed point of P-256) and `auth`.

    `salt` (16 bytes) and `private_key` must be new for each message. Raises ValueError for unreadable keys, and for
    more than `MAX_PLAINTEXT` bytes.
    """
    if len(plaintext) > MAX_PLAINTEXT:
        raise ValueError(f"more than {MAX_PLAINTEXT} bytes")
    if len(auth) != 16:
        raise ValueError("auth does not have 16 bytes")
    receiver = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), p256dh)
    own = point(private_key)
    shared = _expand(_extract(auth, private_key.exchange(ECDH(), receiver)), b"WebPush: info\0" + p256dh + own, 32)
    secret = _extract(salt, shared)
    key = _expand(secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(secret, b"Content-Encoding: nonce\0", 12)
    header = salt + RECORD.to_bytes(4, "big") + bytes([len(own)]) + own
    return header + AESGCM(key).encrypt(nonce, plaintext + b"\x02", None)


def point(private_key: EllipticCurvePrivateKey) -> bytes:
    """Return the public key as an uncompressed point, 65 bytes."""
    return private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _extract(salt: bytes, secret: bytes) -> bytes:
    """Return the result of HKDF's first step (RFC 5869), with SHA-256."""
    return hmac.digest(salt, secret, "sha256")


def _expand(key: bytes, info: bytes, length: int) -> bytes:
    """Return the result of HKDF's second step, limited to one block, which suffices for up to 32 bytes."""
    return hmac.digest(key, info + b"\x01", "sha256")[:length]
