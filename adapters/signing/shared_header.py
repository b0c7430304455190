"""Verification for providers that sign nothing, but send a configured header, which authenticates the caller only.

The ways of `adapters.signing.unsigned` count as well: basic authentication, or a secret in the URL.
"""

from adapters.contract import InvalidSignature, Request, Setting, Values, secrets_of
from adapters.signing.signatures import same
from adapters.signing.unsigned import SETTINGS as UNSIGNED
from adapters.signing.unsigned import verify_unsigned


def line_of(text: str) -> tuple[str, str]:
    """Return the name and value of a header written as `Name: value`. Raise InvalidSignature if one is missing."""
    name, value = (part.strip() for part in (text.partition(":")[0], text.partition(":")[2]))
    if not name or not value:
        raise InvalidSignature("the setting webhook_header is not of the form `Name: value`")
    return name.lower(), value


SETTINGS = (
    Setting(
        "webhook_header",
        "Name: value, a header that the provider is configured to send with each webhook.",
        reads=line_of,
    ),
    *UNSIGNED,
)


def verify_shared(request: Request, values: Values) -> bool | None:
    """Return True if the request has a configured `webhook_header`, `basic_auth` or `url_secret`, None if none is
    configured.

    Raises InvalidSignature if one is configured and the request has none.
    """
    lines = secrets_of(values, "webhook_header")
    if any([_came(request, *line_of(line)) for line in lines]):
        return True
    try:
        known = verify_unsigned(request, values)
    except InvalidSignature:
        known = False
    if known:
        return True
    if lines or known is False:
        raise InvalidSignature("it has none of the configured webhook_header, basic_auth and url_secret")
    return None


def _came(request: Request, name: str, value: str) -> bool:
    return same(value.encode(), request.headers.get(name, "").encode("utf-8", "replace"))
