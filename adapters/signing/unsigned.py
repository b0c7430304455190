"""For providers that sign nothing: HTTP basic authentication, or a secret in the URL that the provider is told.

Both tell who posts, not what: a changed body passes. A source with neither is refused unless it says `accept_unsigned`.
"""

from base64 import b64encode

from adapters.contract import InvalidSignature, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.bodies import query_of
from adapters.signing.signatures import same


def user_of(text: str) -> bytes:
    """`user:password` as it is sent (RFC 7617). Raises InvalidSignature where the password is missing: anyone has none."""
    _, _, password = text.partition(":")
    if not password.strip():
        raise InvalidSignature("the setting basic_auth is not of the form user:password")
    return text.encode()


SETTINGS = (
    Setting(
        "basic_auth", "user:password, as the provider is told them for the webhook (or in its URL).", reads=user_of
    ),
    Setting("url_secret", "A value that the URL told to the provider has in its query, as ?key=…"),
)


def verify_unsigned(request: Request, values: Values) -> bool | None:
    """Whether the configured `basic_auth` or `url_secret` came along; None where neither is configured.

    Raises InvalidSignature where they are, and did not.
    """
    users, secrets = secrets_of(values, "basic_auth"), secrets_of(values, "url_secret")
    if not users and not secrets:
        return None
    given = request.headers.get("authorization", "").encode("utf-8", "replace")
    if any([same(b"Basic " + b64encode(user_of(user)), given) for user in users]):
        return True
    try:
        told = [value.encode("utf-8", "replace") for _, value in query_of(request)] if secrets else []
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    if any([same(secret.encode(), value) for secret in secrets for value in told]):
        return True
    raise InvalidSignature("it has neither the configured basic_auth nor the url_secret")
