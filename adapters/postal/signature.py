"""Postal's signatures: https://docs.postalserver.io/developer/webhooks#verifying-signatures.

RSA (PKCS #1 v1.5) over the body, with SHA-256 in X-Postal-Signature-256; older servers have SHA-1 alone, in
X-Postal-Signature.
"""

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from adapters.base import InvalidSignature, Request
from adapters.parts.signatures import from_base64, header


def check(request: Request, keys: Sequence[str]) -> None:
    """Raises InvalidSignature unless one of the keys signed the body."""
    name, algorithm = _scheme(request)
    given = from_base64("".join(header(request, name).split()))
    readable = [key for text in keys for key in _keys(text)]
    if not any([_signs(key, request.body, given, algorithm) for key in readable]):
        raise InvalidSignature(f"no configured public_key verifies {name}")


def _scheme(request: Request) -> tuple[str, HashAlgorithm]:
    if "x-postal-signature-256" in request.headers:
        return "x-postal-signature-256", SHA256()
    # What servers before 3.3 sign with, and no other: refusing it would shut them out.
    return "x-postal-signature", SHA1()  # noqa: S303


def _signs(key: RSAPublicKey, body: bytes, given: bytes, algorithm: HashAlgorithm) -> bool:
    try:
        key.verify(given, body, PKCS1v15(), algorithm)
    except WrongSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _keys(text: str) -> tuple[RSAPublicKey, ...]:
    """A key as PEM, as a JWK or a set of them, as base64 of its DER, or within a DKIM record."""
    try:
        if text.startswith("{"):
            said = json.loads(text)
            return tuple(_of_jwk(one) for one in said.get("keys", [said]))
        if "BEGIN" in text:
            key = load_pem_public_key(text.replace("\\n", "\n").encode())
        else:
            bare = next((part[2:] for part in text.replace(" ", "").split(";") if part.startswith("p=")), text)
            key = load_der_public_key(b64decode("".join(bare.split()), validate=True))
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm) as error:
        raise InvalidSignature(f"the configured public key cannot be read: {error}") from error
    if not isinstance(key, RSAPublicKey):
        raise InvalidSignature("the configured public key is not one of RSA")
    return (key,)


def _of_jwk(said: dict[str, Any]) -> RSAPublicKey:
    modulus, exponent = (
        int.from_bytes(b64decode(said[name] + "=" * (-len(said[name]) % 4), altchars=b"-_", validate=True), "big")
        for name in ("n", "e")
    )
    return RSAPublicNumbers(exponent, modulus).public_key()
