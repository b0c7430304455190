"""Signature schemes that several providers share. Each takes every configured secret and compares in constant time.

Every comparison and every HMAC that decides whether a request is authentic goes through `same` and `keyed`, which refuse
what is empty: two empty values are equal, and with an empty key anyone can sign. A test keeps it so.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from math import isfinite
from typing import Literal, TypeVar

from adapters.contract import InvalidSignature, Request, Values, secrets_of

T = TypeVar("T")
Encoding = Literal["hex", "base64"]

#: Seconds a signed timestamp may be old, or ahead: the custom of Standard Webhooks
#: (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) and of its senders.
WINDOW = 300


def readable(texts: Sequence[str], reads: Callable[[str], T]) -> list[T]:
    """The keys of those texts that can be read: one that cannot verifies nothing, and does not stop its neighbours.
    Raises InvalidSignature, of the last, where none can."""
    keys, fault = [], None
    for text in texts:
        try:
            keys.append(reads(text))
        except InvalidSignature as error:
            fault = error
    if fault is not None and not keys:
        raise fault
    return keys


def header(request: Request, name: str) -> str:
    """The header's value. Raises InvalidSignature where it is missing or empty."""
    value = request.headers.get(name)
    if not value:
        raise InvalidSignature(f"the header {name} is missing")
    return value


def same(made: bytes, given: bytes) -> bool:
    """Whether the two are the same bytes, in constant time. What is empty is the same as nothing, not even as itself."""
    return bool(made) & bool(given) & hmac.compare_digest(made, given)


def keyed(key: bytes, algorithm: str, message: bytes) -> bytes:
    """The HMAC of the message. Raises InvalidSignature for an empty key."""
    if not key:
        raise InvalidSignature("a configured secret is empty once it is decoded: anyone could sign with it")
    return hmac.digest(key, message, algorithm)


def signs(secret: str, algorithm: str, message: bytes, given: str, encoding: Encoding = "hex") -> bool:
    """Whether `given` is the HMAC of the message, in constant time."""
    digest = keyed(secret.encode(), algorithm, message)
    made = digest.hex().encode() if encoding == "hex" else b64encode(digest)
    return same(made, given.encode("utf-8", "replace"))


def check_age(timestamp: str, received_at: datetime, window: float = WINDOW) -> None:
    """Raises InvalidSignature where the timestamp, in Unix seconds, is farther than `window` before our receipt, or ahead
    of it: of the future by no more than clocks differ, however long the provider repeats the past."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the signed timestamp is not in Unix seconds")
    check_seconds(received_at.timestamp() - int(timestamp), window)


def check_seconds(age: float, window: float = WINDOW) -> None:
    """As `check_age`, of an age in seconds. Raises InvalidSignature."""
    if not -min(window, WINDOW) <= age <= window:
        raise InvalidSignature(f"the signature is {age:.0f} seconds old, more than {window:.0f} apart is refused")


def max_age(values: Values, default: float = WINDOW) -> float:
    """The setting `max_age`, in seconds. Raises InvalidSignature where it is no number."""
    told = secrets_of(values, "max_age")
    return seconds(told[0]) if told else default


def seconds(text: str) -> float:
    """A number of seconds, of the setting `max_age`. Raises InvalidSignature."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not (found >= 0 and isfinite(found)):
        raise InvalidSignature("the setting max_age is no number of seconds")
    return found


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
    for key in readable(secrets, standard_key):
        made = b"v1," + b64encode(keyed(key, "sha256", message))
        if any([same(made, one) for one in given]):
            if fresh:
                check_age(timestamp, request.received_at)
            return
    raise InvalidSignature("no configured secret makes the webhook-signature")


def standard_key(secret: str) -> bytes:
    """The key that a secret of Standard Webhooks stands for. Raises InvalidSignature where it stands for none."""
    bare = secret.removeprefix("whsec_")
    if bare == secret:
        return secret.encode()
    try:
        key = b64decode(bare, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidSignature("a configured secret is not whsec_ and base64") from error
    if not key:
        raise InvalidSignature("a configured secret has nothing after its whsec_: anyone could sign with it")
    return key


def hex_sha256(body: bytes) -> str:
    """The body's SHA-256 in lower-case hex."""
    return sha256(body).hexdigest()
