"""Signature schemes that several providers share. Each takes every configured secret and compares in constant time.

Every comparison and every HMAC that decides whether a request is authentic uses `same` and `keyed`, which refuse empty
values: two empty values are equal, and with an empty key anyone can sign. A test enforces this.
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

#: Seconds by which a signed timestamp may be in the past or the future: the default of Standard Webhooks
#: (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) and of its senders.
WINDOW = 300


def readable(texts: Sequence[str], reads: Callable[[str], T]) -> list[T]:
    """Return the keys parsed from the texts, leaving out those that cannot be parsed. Raise the last InvalidSignature if
    none can."""
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
    """Return the header's value. Raise InvalidSignature if it is missing or empty."""
    value = request.headers.get(name)
    if not value:
        raise InvalidSignature(f"the header {name} is missing")
    return value


def same(made: bytes, given: bytes) -> bool:
    """Compare two byte strings in constant time. Return False if either is empty, even if both are."""
    return bool(made) & bool(given) & hmac.compare_digest(made, given)


def keyed(key: bytes, algorithm: str, message: bytes) -> bytes:
    """Return the HMAC of the message. Raise InvalidSignature for an empty key."""
    if not key:
        raise InvalidSignature("a configured secret is empty once it is decoded: anyone could sign with it")
    return hmac.digest(key, message, algorithm)


def signs(secret: str, algorithm: str, message: bytes, given: str, encoding: Encoding = "hex") -> bool:
    """Return whether `given` is the HMAC of the message, compared in constant time."""
    digest = keyed(secret.encode(), algorithm, message)
    made = digest.hex().encode() if encoding == "hex" else b64encode(digest)
    return same(made, given.encode("utf-8", "replace"))


def check_age(timestamp: str, received_at: datetime, window: float = WINDOW) -> None:
    """Raise InvalidSignature if the timestamp, in Unix seconds, is more than `window` seconds before `received_at`, or
    ahead of it by more than `WINDOW`, the tolerance for clocks that differ."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the signed timestamp is not in Unix seconds")
    check_seconds(received_at.timestamp() - int(timestamp), window)


def check_seconds(age: float, window: float = WINDOW) -> None:
    """Check an age in seconds as `check_age` does. Raise InvalidSignature."""
    if not -min(window, WINDOW) <= age <= window:
        raise InvalidSignature(f"the signature is {age:.0f} seconds old, more than {window:.0f} apart is refused")


def max_age(values: Values, default: float = WINDOW) -> float:
    """Return the setting `max_age` in seconds, or the default. Raise InvalidSignature if it is no number."""
    given = secrets_of(values, "max_age")
    return seconds(given[0]) if given else default


def seconds(text: str) -> float:
    """Parse the setting `max_age`, a number of seconds. Raise InvalidSignature."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not (found >= 0 and isfinite(found)):
        raise InvalidSignature("the setting max_age is no number of seconds")
    return found


def from_base64(text: str) -> bytes:
    """Decode standard base64. Raise InvalidSignature."""
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidSignature("the signature is not base64") from error


def verify_standard(request: Request, secrets: Sequence[str], *, fresh: bool = True) -> None:
    """Verify Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in `webhook-signature: v1,…` (several, separated by
    spaces), or the same under Svix's names. A secret is `whsec_` and base64, else its characters are the key. Raise
    InvalidSignature.
    """
    timestamp = standard_header(request, "timestamp")
    message = f"{standard_header(request, 'id')}.{timestamp}.".encode("utf-8", "replace") + request.body
    given = [part.encode("utf-8", "replace") for part in standard_header(request, "signature").split(" ")]
    for key in readable(secrets, standard_key):
        made = b"v1," + b64encode(keyed(key, "sha256", message))
        if any([same(made, one) for one in given]):
            if fresh:
                check_age(timestamp, request.received_at)
            return
    raise InvalidSignature("no configured secret makes the webhook-signature")


def standard_header(request: Request, name: str) -> str:
    """Return a header of Standard Webhooks: `webhook-<name>`, or `svix-<name>` of Svix, from which the standard comes and
    whose users may send either. Raise InvalidSignature if it is missing."""
    for start in ("webhook", "svix"):
        if f"{start}-{name}" in request.headers:
            return header(request, f"{start}-{name}")
    raise InvalidSignature(f"the header webhook-{name} or svix-{name} is missing")


def standard_key(secret: str) -> bytes:
    """Return the key in a secret of Standard Webhooks. Raise InvalidSignature if it cannot be decoded or is empty."""
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
    """Return the body's SHA-256 in lower-case hex."""
    return sha256(body).hexdigest()
