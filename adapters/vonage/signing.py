"""Verifies Vonage's signatures: a token in a header (Messages, Voice), or a signature among the parameters (SMS).

The token: https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks, its hash of a
query: https://api.support.vonage.com/hc/en-us/articles/19033783342876. The parameters:
https://developer.vonage.com/en/getting-started/concepts/signing-messages.
"""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import datetime
from hashlib import md5
from typing import Any

import orjson

from adapters.contract import InvalidSignature, Request, Unprocessable, Values, secrets_of
from adapters.reading.bodies import query_of
from adapters.reading.facts import text
from adapters.signing.signatures import check_age, header, hex_sha256, keyed, max_age, same
from adapters.signing.tokens import claims_of

#: The methods by their names in Vonage's libraries, and the digest of their HMAC; `md5hash` is not an HMAC.
_DIGESTS = {"md5hash": "", "md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}
METHODS = tuple(_DIGESTS)
METHOD = "md5hash"
#: Maximum characters of a token that is decoded; usual ones have some 500.
_MOST = 4096


def is_token(authorization: str) -> bool:
    """Return whether the header has a token with the claims that Vonage's tokens have; it is not verified."""
    if not authorization.startswith("Bearer ey") or len(authorization) > _MOST:
        return False
    claims = authorization.split(".", 2)[1:2]
    try:
        claims_text = urlsafe_b64decode(f"{claims[0]}===") if claims else b""
    except ValueError:
        return False
    return b'"payload_hash"' in claims_text and b'"api_key"' in claims_text


def check_token(request: Request, secrets: Sequence[str], values: Values, fresh: bool) -> None:
    """Check an HS256 token and its `payload_hash`, the SHA-256 of the body (for a GET, of its query as JSON). Raises
    InvalidSignature."""
    token = header(request, "authorization").removeprefix("Bearer ").strip()
    claims = [found for found in [claims_of(token, secret, ("HS256",)) for secret in secrets] if found is not None]
    if not claims:
        raise InvalidSignature("no configured signature_secret makes this token")
    claimed = claims[0].get("payload_hash")
    if not isinstance(claimed, str):
        raise InvalidSignature("the token has no payload_hash")
    if request.method == "GET" and request.body:
        raise InvalidSignature("a GET with a body, which no signature covers")
    if not same(_hash(request).encode(), claimed.lower().encode("utf-8", "replace")):
        raise InvalidSignature("the token's payload_hash is not that of the request")
    if fresh:
        check_age(str(claims[0].get("iat")), request.received_at, max_age(values))


def check_parameters(
    request: Request,
    pairs: list[tuple[str, str]],
    secrets: Sequence[str],
    values: Values,
    received_at: datetime | None,
) -> None:
    """Check `sig` over the other parameters, sorted; their age too unless `received_at` is None. Raises
    InvalidSignature."""
    if request.method == "GET" and request.body:
        raise InvalidSignature("a GET with a body, which no signature covers")
    method = (secrets_of(values, "signature_method") or [METHOD])[0].lower()
    if method not in METHODS:
        raise InvalidSignature(f"the setting signature_method is one of {', '.join(METHODS)}")
    given = [value for name, value in pairs if name == "sig"]
    if len(given) != 1 or not given[0]:
        raise InvalidSignature("there is no sig")
    signed = sorted([pair for pair in pairs if pair[0] != "sig"])
    # In a name, they would let several parameters be passed off as one under the same signature.
    if any(["&" in name or "=" in name for name, _ in signed]):
        raise InvalidSignature("a parameter's name contains & or =")
    # In a value, & and = are signed as underscores.
    signed_text = "".join([f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in signed])
    message, shown = signed_text.encode("utf-8", "replace"), given[0].lower().encode("utf-8", "replace")
    if not any([same(_digest(message, secret, _DIGESTS[method]), shown) for secret in secrets]):
        raise InvalidSignature("no configured signature_secret makes this sig by the signature_method")
    if received_at is not None:
        check_age(dict(signed).get("timestamp", ""), received_at, max_age(values))


def texts(parameters: dict[str, Any] | list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters in the form that is signed. Raises Unprocessable if one is neither text nor a number."""
    if isinstance(parameters, list):
        return parameters
    pairs = [(name, value if isinstance(value, str) else text(value)) for name, value in parameters.items()]
    if any([value is None for _, value in pairs]):
        raise Unprocessable("a parameter that is not text, which no sig covers")
    return [(name, value or "") for name, value in pairs]


def _hash(request: Request) -> str:
    if request.method != "GET":
        return hex_sha256(request.body)
    try:
        return hex_sha256(orjson.dumps(dict(query_of(request))))
    except (Unprocessable, orjson.JSONEncodeError) as error:
        raise InvalidSignature(str(error)) from error


def _digest(message: bytes, secret: str, digest: str) -> bytes:
    """Return the digest in lower-case hex. `md5hash` is Vonage's own scheme, and its default."""
    if not digest:
        return md5(message + secret.encode(), usedforsecurity=False).hexdigest().encode()
    return keyed(secret.encode(), digest, message).hex().encode()
