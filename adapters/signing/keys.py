"""Parses configured public keys and certificates, and verifies signatures with them.

The same parser checks the setting at start and reads it for a webhook. Each raises InvalidSignature with a message that
contains nothing of the value.
"""

from base64 import b64decode
from functools import lru_cache

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key, load_pem_public_key
from cryptography.x509 import Certificate, load_pem_x509_certificate

from adapters.contract import InvalidSignature

#: y-coordinates of the points of small order of Curve25519 in Edwards form, with which anyone can sign
#: (RFC 8032 section 8.4 and https://cr.yp.to/ecdh.html#validate), as numbers below 2^255; the sign bit is left out.
_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_WEAK = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8, _P - _ORDER_8})


@lru_cache(maxsize=256)
def ed25519_key(text: str) -> Ed25519PublicKey:
    """Parse an Ed25519 public key: base64 of its 32 bytes, with or without the prefix `whpk_`."""
    try:
        raw = b64decode("".join(text.split()).removeprefix("whpk_"), validate=True)
        if len(raw) == 32 and int.from_bytes(raw, "little") & (2**255 - 1) in _WEAK:
            raise InvalidSignature("the configured public_key is a point of small order: anyone could sign with it")
        return Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidSignature("the configured public_key is not base64 of the 32 bytes of an Ed25519 key") from error


@lru_cache(maxsize=256)
def ec_key(text: str) -> EllipticCurvePublicKey:
    """Parse an elliptic curve public key: PEM, or base64 of its DER (SubjectPublicKeyInfo), with or without line ends."""
    key = _public_key(text)
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidSignature("the configured public key is not one of an elliptic curve")
    return key


@lru_cache(maxsize=256)
def rsa_key(text: str) -> RSAPublicKey:
    """Parse an RSA public key: PEM (SubjectPublicKeyInfo or PKCS #1), or base64 of its DER."""
    key = _public_key(text)
    if not isinstance(key, RSAPublicKey):
        raise InvalidSignature("the configured public key is not one of RSA")
    return key


@lru_cache(maxsize=64)
def certificate_of(pem: str) -> Certificate:
    """Parse a PEM certificate with an RSA key."""
    try:
        certificate = load_pem_x509_certificate(pem.replace("\\n", "\n").encode("utf-8", "replace"))
    except ValueError as error:
        raise InvalidSignature("the certificate cannot be read") from error
    if not isinstance(certificate.public_key(), RSAPublicKey):
        raise InvalidSignature("the certificate's key is not RSA")
    return certificate


def rsa_private_key(text: str) -> RSAPrivateKey:
    """Parse an RSA private key in PEM."""
    try:
        key = load_pem_private_key(text.replace("\\n", "\n").encode("utf-8", "replace"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidSignature("the configured private_key is no RSA key in PEM") from error
    if not isinstance(key, RSAPrivateKey):
        raise InvalidSignature("the configured private_key is not one of RSA")
    return key


def signs_ed25519(key: Ed25519PublicKey, message: bytes, given: bytes) -> bool:
    """Return whether `given` is the key's signature of the message."""
    try:
        key.verify(given, message)
    except WrongSignature:
        return False
    return True


def signs_ecdsa(key: EllipticCurvePublicKey, message: bytes, given: bytes) -> bool:
    """Return whether `given` (DER) is the key's ECDSA signature of the message with SHA-256."""
    try:
        key.verify(given, message, ECDSA(SHA256()))
    except WrongSignature:
        return False
    return True


def signs_rsa(key: RSAPublicKey, message: bytes, given: bytes, hashed: HashAlgorithm) -> bool:
    """Return whether `given` is the key's PKCS #1 v1.5 signature of the message."""
    try:
        key.verify(given, message, PKCS1v15(), hashed)
    except WrongSignature:
        return False
    return True


def _public_key(text: str) -> object:
    try:
        if "BEGIN" in text:
            return load_pem_public_key(text.replace("\\n", "\n").encode("utf-8", "replace"))
        return load_der_public_key(b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidSignature("the configured public key cannot be read: neither PEM nor base64 of its DER") from error
