"""Makes JSON Web Tokens signed with a P-256 key (RFC 7515, RFC 7518 section 3.4), for APNs and VAPID.

The signature is deterministic (RFC 6979), so that the same claims make the same token in every process: APNs refuses
senders that change their token often, and one token is made per hour.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from functools import lru_cache

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Claims = tuple[tuple[str, str | int], ...]


def to_base64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Decode base64url or base64, with or without padding. Raise ValueError."""
    plain = text.strip().rstrip("=").replace("+", "-").replace("/", "_")
    if not plain.replace("-", "").replace("_", "").isalnum():
        raise ValueError("no base64url")
    try:
        return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except (Base64Error, ValueError) as error:
        raise ValueError("no base64url") from error


@lru_cache(maxsize=256)
def private_key(text: str) -> EllipticCurvePrivateKey:
    """Parse a P-256 private key: PEM (Apple's .p8 file), or 32 bytes as base64url (VAPID). Raise ValueError."""
    try:
        if "BEGIN" not in text:
            if len(raw := from_base64url(text)) != 32:
                raise ValueError("it has not 32 bytes")
            return derive_private_key(int.from_bytes(raw, "big"), SECP256R1())
        key = load_pem_private_key(text.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the private key cannot be read") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("the private key is not one of the curve P-256")
    return key


@lru_cache(maxsize=1024)
def token(key: str, header: Claims, claims: Claims) -> str:
    """Return the signed token with these claims; `header` has the fields beside `alg`. Raise ValueError for an invalid key."""
    signed = b".".join(
        to_base64url(orjson.dumps(part)).encode() for part in ({"alg": "ES256", **dict(header)}, dict(claims))
    )
    r, s = decode_dss_signature(private_key(key).sign(signed, ECDSA(SHA256(), deterministic_signing=True)))
    return f"{signed.decode()}.{to_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
