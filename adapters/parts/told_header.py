"""For providers that sign nothing and send a header that they are told: its value tells who posts, not what.

Beside it the ways of `adapters.parts.unsigned` count: basic authentication, a secret in the URL.
"""

from hmac import compare_digest

from adapters.base import InvalidSignature, Request, Setting, Values
from adapters.parts.signatures import secrets_of
from adapters.parts.unsigned import SETTINGS as UNSIGNED
from adapters.parts.unsigned import verify_unsigned

SETTINGS = (
    Setting("webhook_header", "Name: value, a header that the provider is told to send with each webhook."),
    *UNSIGNED,
)


def verify_told(request: Request, values: Values) -> bool | None:
    """Whether a configured `webhook_header`, `basic_auth` or `url_secret` came along; None where none is configured.

    Raises InvalidSignature where one is, and none did.
    """
    told = secrets_of(values, "webhook_header")
    if any([_came(request, line) for line in told]):
        return True
    if any(not all(part.strip() for part in line.partition(":")) for line in told):
        raise InvalidSignature("the setting webhook_header is not of the form `Name: value`")
    try:
        known = verify_unsigned(request, values)
    except InvalidSignature:
        known = False
    if known:
        return True
    if told or known is False:
        raise InvalidSignature("it has none of the configured webhook_header, basic_auth and url_secret")
    return None


def _came(request: Request, line: str) -> bool:
    name, _, value = line.partition(":")
    given = request.headers.get(name.strip().lower(), "").encode("utf-8", "replace")
    wanted = value.strip().encode()
    return bool(wanted) & compare_digest(wanted, given)
