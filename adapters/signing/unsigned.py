"""Verification for providers that sign nothing: HTTP basic authentication, or a secret in the webhook's URL.

Both authenticate the caller and not the body. A source with neither is refused unless it sets `accept_unsigned`.
"""

from base64 import b64encode

from adapters.contract import InvalidSignature, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.bodies import query_of
from adapters.signing.signatures import same


def user_of(text: str) -> bytes:
    """Return `user:password` as bytes (RFC 7617). Raise InvalidSignature if the password is empty."""
    _, _, password = text.partition(":")
    if not password.strip():
        raise InvalidSignature("the setting basic_auth is not of the form user:password")
    return text.encode()


SETTINGS = (
    Setting("basic_auth", "user:password, as entered at the provider for the webhook (or in its URL).", reads=user_of),
    Setting("url_secret", "A secret value in the query of the URL that is entered at the provider, as ?key=…"),
)


def verify_unsigned(request: Request, values: Values) -> bool | None:
    """Return True if the request has the configured `basic_auth` or `url_secret`, None if neither is configured.

    Raises InvalidSignature if one is configured and the request has none.
    """
    users, secrets = secrets_of(values, "basic_auth"), secrets_of(values, "url_secret")
    if not users and not secrets:
        return None
    given = request.headers.get("authorization", "").encode("utf-8", "replace")
    if any([same(b"Basic " + b64encode(user_of(user)), given) for user in users]):
        return True
    try:
        found = [value.encode("utf-8", "replace") for _, value in query_of(request)] if secrets else []
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    if any([same(secret.encode(), value) for secret in secrets for value in found]):
        return True
    raise InvalidSignature("it has neither the configured basic_auth nor the url_secret")
