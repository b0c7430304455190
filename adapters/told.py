"""For providers that sign nothing, but send along a header that they are told to, beside what `unsigned` knows."""

from hmac import compare_digest

from adapters.base import InvalidSignature, Request, Setting, Values
from adapters.signatures import secrets_of
from adapters.unsigned import SETTINGS as _UNSIGNED
from adapters.unsigned import verify_unsigned

SETTINGS = (
    *_UNSIGNED,
    Setting("header", "A header that the provider is told to send along, as `X-Hook-Secret: value`."),
)


def verify_told(request: Request, values: Values) -> bool | None:
    """Whether the configured `header`, `basic_auth` or `url_secret` came along; None where none is configured.

    Raises InvalidSignature where one is, and none came.
    """
    told = [_named(one) for one in secrets_of(values, "header")]
    came = request.headers
    if any([compare_digest(value.encode(), came.get(name, "").encode("utf-8", "replace")) for name, value in told]):
        return True
    known = verify_unsigned(request, values)
    if known is None and told:
        raise InvalidSignature(f"it has not the configured header {told[0][0]}")
    return known


def _named(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not colon or not value.strip():
        raise InvalidSignature("the setting header is not of the form `Name: value`")
    return name.strip().lower(), value.strip()
