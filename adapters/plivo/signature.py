"""Verifies Plivo's signatures: V3 over URL, parameters and nonce; V2, for messages, over nonce and URL without query.

https://www.plivo.com/docs/voice/concepts/signature-validation,
https://www.plivo.com/docs/messaging/concepts/signature-validation; the exact construction follows the official
library (https://github.com/plivo/plivo-python/blob/master/plivo/utils/signature_v3.py).
"""

from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlsplit

from adapters.contract import InvalidSignature, Once, Request, Unprocessable
from adapters.reading.bodies import Pairs, form_of, query_of
from adapters.reading.facts import digest_of
from adapters.signing.signatures import keyed, same

#: How long a nonce of V2 is remembered.
REMEMBERED = timedelta(days=30)
#: Maximum signatures of one header that are compared.
_MOST = 8


def verify(request: Request, tokens: list[str]) -> None:
    """Verify V3, or V2 only if there is no V3: V2 covers less, and must not replace it. Raises InvalidSignature."""
    headers = request.headers
    for version, signed in (("v3", _v3), ("v2", _v2)):
        names = (f"x-plivo-signature-{version}", f"x-plivo-signature-ma-{version}")
        given = [one.strip() for name in names for one in headers.get(name, "").split(",")[:_MOST] if one.strip()]
        if not given:
            continue
        nonce = headers.get(f"x-plivo-signature-{version}-nonce")
        if not nonce:
            raise InvalidSignature(f"the header x-plivo-signature-{version}-nonce is missing")
        try:
            message = signed(request, nonce).encode("utf-8", "replace")
        except Unprocessable as error:
            raise InvalidSignature(str(error)) from error
        made = [b64encode(keyed(token.encode(), "sha256", message)) for token in tokens]
        came = [one.encode("utf-8", "replace") for one in given]
        if any([same(one, other) for one in made for other in came]):
            return
        raise InvalidSignature(
            f"no configured auth_token makes a signature of {version}: does the source's url match Plivo's?"
        )
    raise InvalidSignature("the headers x-plivo-signature-v3 and x-plivo-signature-v2 are missing")


def once(request: Request) -> Once | None:
    """Return the single-use token of a V2 signature, which covers the URL and nonce but neither body nor query. V2
    signs no time, so the token is remembered for `REMEMBERED`. Return None for V3, which covers everything, and for a
    request without a signature, which is verified by the caller's credentials."""
    headers = request.headers
    if not any(headers.get(f"x-plivo-signature-{kind}v2", "").strip() for kind in ("", "ma-")):
        return None
    if any(headers.get(f"x-plivo-signature-{kind}v3", "").strip() for kind in ("", "ma-")):
        return None
    try:
        token = digest_of(_v2(request, headers.get("x-plivo-signature-v2-nonce", "")))
        parameters = [*query_of(request), *(form_of(request) if request.body else [])]
    except (InvalidSignature, Unprocessable):
        return None
    digest = digest_of(request.method, *(part for pair in sorted(parameters) for part in pair))
    return Once(token, digest, request.received_at + REMEMBERED)


def _v3(request: Request, nonce: str) -> str:
    query = _sorted(query_of(request), "=", "&")
    if request.method == "GET":
        if request.body:
            raise InvalidSignature("a GET with a body, which no signature covers")
        return f"{_address(request.url)}{'?' if query else ''}{query}.{nonce}"
    fields = form_of(request) if request.body else []
    if not fields:
        return f"{_address(request.url)}{'?' if query else ''}{query}.{nonce}"
    return f"{_address(request.url)}?{query}{'.' if query else ''}{_sorted(fields, '', '')}.{nonce}"


def _v2(request: Request, nonce: str) -> str:
    return f"{_address(request.url)}{nonce}"


def _address(url: str) -> str:
    """Return the URL without its query and fragment. Raises InvalidSignature."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidSignature("the URL cannot be read") from error
    return parts._replace(query="", fragment="").geturl()


def _sorted(pairs: Pairs, between: str, joined: str) -> str:
    return joined.join(f"{name}{between}{value}" for name, value in sorted(pairs))
