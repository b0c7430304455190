"""Verifies the signatures of MessageBird and Bird.

The token: https://developers.messagebird.com/api/#verifying-http-requests, its claims as in MessageBird's own
library, https://github.com/messagebird/go-rest-api/blob/master/signature_jwt/claims.go. Bird:
https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription.
Before the token, MessageBird used the same headers for a signature over the sorted query instead of the URL.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from adapters.contract import InvalidSignature, Request, Values
from adapters.signing.signatures import check_age, from_base64, header, hex_sha256, keyed, max_age, same
from adapters.signing.tokens import claims_of

TOKEN = "messagebird-signature-jwt"  # noqa: S105  the header's name
SIGNATURE = "messagebird-signature"
TIMESTAMP = "messagebird-request-timestamp"
#: Seconds. Bird retries a webhook for a day with the signature and time of its first attempt.
LIFE = 86400
#: Maximum difference in seconds between MessageBird's clock and ours.
_SKEW = 5
_ALGORITHMS = ("HS256", "HS384", "HS512")


def check_token(request: Request, keys: Sequence[str], fresh: bool) -> None:
    """Check a token's hashes of the URL and body, and, if `fresh`, its times. Raises InvalidSignature."""
    token = header(request, TOKEN)
    found = [claims for claims in [claims_of(token, key, _ALGORITHMS) for key in keys] if claims is not None]
    if not found:
        raise InvalidSignature("no configured signing_key makes this token")
    claims = found[0]
    if claims.get("iss") != "MessageBird":
        raise InvalidSignature("the token is not MessageBird's")
    if not _same(claims.get("url_hash"), hex_sha256(request.url.encode("utf-8", "replace"))):
        raise InvalidSignature("the token is for another URL: is the source's url the one configured at MessageBird?")
    if request.body or claims.get("payload_hash"):
        if not _same(claims.get("payload_hash"), hex_sha256(request.body)):
            raise InvalidSignature("the token's payload_hash is not that of the body")
    if fresh:
        begins, ends, now = claims.get("nbf"), claims.get("exp"), request.received_at.timestamp()
        if not isinstance(begins, (int, float)) or not isinstance(ends, (int, float)):
            raise InvalidSignature("the token has no nbf and exp")
        if not begins - _SKEW <= now <= ends + _SKEW:
            raise InvalidSignature("the token has expired, or is not valid yet")


def check_signature(request: Request, keys: Sequence[str], values: Values, fresh: bool) -> None:
    """Check a signature over the time, the URL (or sorted query) and the body's hash, one per line. Raises
    InvalidSignature."""
    given, timestamp = from_base64(header(request, SIGNATURE)), header(request, TIMESTAMP)
    query = request.url.partition("#")[0].partition("?")[2]
    body = sha256(request.body).digest()
    signed = [
        b"\n".join([timestamp.encode("utf-8", "replace"), place.encode("utf-8", "replace"), body])
        for place in (request.url, "&".join(sorted(query.split("&"))))
    ]
    if not any([same(keyed(key.encode(), "sha256", one), given) for key in keys for one in signed]):
        raise InvalidSignature(
            "no configured signing_key makes this signature: is the source's url the one configured at Bird?"
        )
    if fresh:
        check_age(timestamp, request.received_at, max_age(values, LIFE))


def _same(claimed: Any, made: str) -> bool:
    return isinstance(claimed, str) and same(made.encode(), claimed.lower().encode("utf-8", "replace"))
