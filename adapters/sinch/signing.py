"""Verifies the signatures of Sinch's webhooks.

Conversation and SMS: https://developers.sinch.com/docs/conversation/callbacks#validating-callbacks. Voice:
https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from hashlib import md5
from urllib.parse import urlsplit

from adapters.contract import InvalidSignature, Request, Values
from adapters.reading.times import from_text
from adapters.signing.signatures import check_age, check_seconds, header, keyed, max_age, readable, same, signs

SIGNATURE = "x-sinch-webhook-signature"
_ALGORITHMS = {"hmacsha256": "sha256", "hmacsha384": "sha384", "hmacsha512": "sha512"}


def check_webhook(request: Request, secrets: Sequence[str], values: Values, fresh: bool) -> None:
    """Check HMAC over `body.nonce.timestamp`, in base64. Raises InvalidSignature."""
    given, nonce = header(request, SIGNATURE), header(request, f"{SIGNATURE}-nonce")
    timestamp = header(request, f"{SIGNATURE}-timestamp")
    algorithm = _ALGORITHMS.get(request.headers.get(f"{SIGNATURE}-algorithm", "HmacSHA256").lower())
    if algorithm is None:
        raise InvalidSignature("the signature's algorithm is unknown")
    message = request.body + f".{nonce}.{timestamp}".encode("utf-8", "replace")
    if not any([signs(secret, algorithm, message, given, "base64") for secret in secrets]):
        raise InvalidSignature("no configured webhook_secret makes this signature")
    if fresh:
        check_age(timestamp, request.received_at, max_age(values))


def check_call(request: Request, secrets: Sequence[str], values: Values, fresh: bool) -> None:
    """Check HMAC-SHA256, with the secret's bytes as the key, over the lines method, body's MD5, content type,
    x-timestamp and path. Raises InvalidSignature."""
    _, _, given = header(request, "authorization").partition(":")
    timestamp, kind = header(request, "x-timestamp"), request.headers.get("content-type", "")
    body = b64encode(md5(request.body, usedforsecurity=False).digest()).decode()
    try:
        path = urlsplit(request.url).path
    except ValueError as error:
        raise InvalidSignature("the URL cannot be read") from error
    message = "\n".join([request.method, body, kind, f"x-timestamp:{timestamp}", path]).encode("utf-8", "replace")
    shown = given.strip().encode("utf-8", "replace")
    made = [b64encode(keyed(key, "sha256", message)) for key in readable(secrets, application_key)]
    if not any([same(one, shown) for one in made]):
        raise InvalidSignature(
            "no configured application_secret makes this signature: is the source's url the one configured at Sinch?"
        )
    if fresh:
        sent_at = from_text(timestamp)
        if sent_at is None:
            raise InvalidSignature("the header x-timestamp is not a time")
        check_seconds((request.received_at - sent_at).total_seconds(), max_age(values))


def application_key(secret: str) -> bytes:
    """Return the bytes of a secret that the dashboard shows in base64. Raises InvalidSignature if it is not base64."""
    try:
        key = b64decode(secret, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidSignature("a configured application_secret is not base64, as the dashboard shows it") from error
    if not key:
        raise InvalidSignature("a configured application_secret is empty")
    return key
