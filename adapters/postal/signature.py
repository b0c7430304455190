"""Verifies Postal's signatures: https://docs.postalserver.io/developer/webhooks#verifying-signatures.

RSA (PKCS #1 v1.5) over the body, with SHA-256 in X-Postal-Signature-256; older servers have only SHA-1, in
X-Postal-Signature.
"""

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from adapters.contract import InvalidSignature, Request
from adapters.signing.keys import rsa_key, signs_rsa
from adapters.signing.signatures import from_base64, header, readable


def check(request: Request, keys: Sequence[str]) -> None:
    """Check that one of the keys signed the body. Raises InvalidSignature."""
    name, algorithm = _scheme(request)
    given = from_base64("".join(header(request, name).split()))
    if not any([signs_rsa(key, request.body, given, algorithm) for each in readable(keys, keys_of) for key in each]):
        raise InvalidSignature(f"no configured public_key verifies {name}")


def _scheme(request: Request) -> tuple[str, HashAlgorithm]:
    if "x-postal-signature-256" in request.headers:
        return "x-postal-signature-256", SHA256()
    # Servers before 3.3 sign with SHA-1 only; refusing it would refuse all their webhooks.
    return "x-postal-signature", SHA1()  # noqa: S303


@lru_cache(maxsize=256)
def keys_of(text: str) -> tuple[RSAPublicKey, ...]:
    """Return the keys of PEM, a JWK or a set of them, base64 of DER, or a DKIM record. Raises InvalidSignature."""
    try:
        if text.startswith("{"):
            document = json.loads(text)
            if keys := tuple(_of_jwk(one) for one in document.get("keys", [document])):
                return keys
            raise ValueError("a set without a key")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidSignature("the configured public key cannot be read: it is not a JWK with a key") from error
    if "BEGIN" in text:
        return (rsa_key(text),)
    return (rsa_key(next((part[2:] for part in text.replace(" ", "").split(";") if part.startswith("p=")), text)),)


def _of_jwk(jwk: dict[str, Any]) -> RSAPublicKey:
    modulus, exponent = (
        int.from_bytes(b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4), altchars=b"-_", validate=True), "big")
        for name in ("n", "e")
    )
    return RSAPublicNumbers(exponent, modulus).public_key()
