"""Signature schemes that several providers share. Each takes every configured secret and compares in constant time."""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from adapters.base import InvalidSignature, Request, Values

Encoding = Literal["hex", "base64"]

#: Seconds a signed timestamp may be old, or ahead: the custom of Standard Webhooks
#: (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) and of its senders.
WINDOW = 300


def secrets_of(values: Values, *names: str) -> list[str]:
    """What is configured under any of the names; an empty secret, which anyone could sign with, counts as none."""
    return [value.strip() for name in names for value in values.get(name, ()) if value.strip()]


def header(request: Request, name: str) -> str:
    """The header's value. Raises InvalidSignature where it is missing or empty."""
    value = request.headers.get(name)
    if not value:
        raise InvalidSignature(f"the header {name} is missing")
    return value


def signs(secret: str, algorithm: str, message: bytes, given: str, encoding: Encoding = "hex") -> bool:
    """Whether `given` is the HMAC of the message, in constant time."""
    digest = hmac.digest(secret.encode(), message, algorithm)
    made = digest.hex().encode() if encoding == "hex" else b64encode(digest)
    return hmac.compare_digest(made, given.encode("utf-8", "replace"))


def check_age(timestamp: str, received_at: datetime, window: float = WINDOW) -> None:
    """Raises InvalidSignature where the timestamp, in Unix seconds, is farther than `window` from our receipt."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the signed timestamp is not in Unix seconds")
    age = received_at.timestamp() - int(timestamp)
    if abs(age) > window:
        raise InvalidSignature(f"the signature is {age:.0f} seconds old, more than {window:.0f} apart is refused")


def max_age(values: Values, default: float = WINDOW) -> float:
    """The setting `max_age`, in seconds. Raises InvalidSignature where it is no number."""
    told = secrets_of(values, "max_age")
    try:
        window = float(told[0]) if told else default
    except ValueError as error:
        raise InvalidSignature("the setting max_age is no number of seconds") from error
    if not window >= 0:
        raise InvalidSignature("the setting max_age is no number of seconds")
    return window


def signs_ecdsa(public_key: str, message: bytes, given: bytes) -> bool:
    """Whether `given` (DER) is the key's ECDSA signature with SHA-256. Raises InvalidSignature for an unreadable key."""
    try:
        _ec_key(public_key).verify(given, message, ECDSA(SHA256()))
    except WrongSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _ec_key(text: str) -> EllipticCurvePublicKey:
    """A public key as PEM, or as base64 of its DER (SubjectPublicKeyInfo), with or without line ends."""
    try:
        if "BEGIN" in text:
            key = load_pem_public_key(text.replace("\\n", "\n").encode())
        else:
            key = load_der_public_key(b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidSignature(f"the configured public key cannot be read: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise InvalidSignature("the configured public key is not one of an elliptic curve")
    return key


def from_base64(text: str) -> bytes:
    """The bytes of standard base64. Raises InvalidSignature."""
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidSignature("the signature is not base64") from error


def verify_standard(request: Request, secrets: Sequence[str], *, fresh: bool = True) -> None:
    """Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in `webhook-signature: v1,…` (several, one space apart).

    A secret is `whsec_` and base64, as its senders show it, else its characters. Raises InvalidSignature.
    """
    timestamp = header(request, "webhook-timestamp")
    message = f"{header(request, 'webhook-id')}.{timestamp}.".encode("utf-8", "replace") + request.body
    given = [part.encode("utf-8", "replace") for part in header(request, "webhook-signature").split(" ")]
    for secret in secrets:
        key = from_base64(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
        if not key:
            raise InvalidSignature("a configured secret has nothing after its whsec_: anyone could sign with it")
        made = b"v1," + b64encode(hmac.digest(key, message, "sha256"))
        if any([hmac.compare_digest(made, one) for one in given]):
            if fresh:
                check_age(timestamp, request.received_at)
            return
    raise InvalidSignature("no configured secret makes the webhook-signature")


def hex_sha256(body: bytes) -> str:
    """The body's SHA-256 in lower-case hex."""
    return sha256(body).hexdigest()
