"""Verification for providers whose signing is an option that many accounts have off, or that sign some products only.

A request with a signature is verified by it. One without is verified as an unsigned provider's: by HTTP basic
authentication or a secret in the URL, and only if the source sets one of these.
"""

from collections.abc import Callable, Sequence

from adapters.contract import Request, Values, secrets_of
from adapters.signing.unsigned import SETTINGS, verify_unsigned

__all__ = ["SETTINGS", "WORDS", "verify_signed_or_known"]

#: What the table of providers says beside the signature.
WORDS = "where it is off, basic auth or a secret in the URL"


def verify_signed_or_known(
    request: Request, values: Values, *, keys: Sequence[str], signed: bool, check: Callable[[], None]
) -> bool | None:
    """Return True if the request is authentic, None if the source has nothing to verify it with. Raises InvalidSignature.

    `keys` are the source's signing secrets, `signed` is whether the request has a signature, and `check` verifies that
    signature and raises InvalidSignature. A signature that is there is always checked if there is a key: `url_secret` and
    `basic_auth` stand in for a missing one, never for a wrong one.
    """
    if keys and (signed or not secrets_of(values, "basic_auth", "url_secret")):
        check()
        return True
    return verify_unsigned(request, values)
