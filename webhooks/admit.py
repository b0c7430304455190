"""Decides whether a webhook may be kept.

A provider's request must be authentic, or its source must accept unsigned requests. An envelope may carry an API key instead.
"""

from collections.abc import Awaitable, Callable

from adapters.contract import Request
from webhooks.envelopes import fault_of
from webhooks.recognise import ENVELOPE, Verdict
from webhooks.replies import Refused

#: Takes an `Authorization` header and the caller's address, and returns the client for which its API key may post envelopes. Raises `Unauthorized`,
#: `Unscoped`, or `KeysUnavailable` if the keys cannot be read now.
Authenticate = Callable[[str, str], Awaitable[str]]

#: Retry-After, in seconds, while this process cannot keep or verify webhooks.
LATER = 10


class Unauthorized(Exception):
    """There is no API key, or it is not valid. The message is for the operator."""


class Unscoped(Unauthorized):
    """The API key is valid but lacks the scope for posting envelopes. The message names the scope and may go to the caller."""


class KeysUnavailable(Exception):
    """The API key cannot be checked now. The message says why."""


async def admit(verdict: Verdict, authenticate: Authenticate | None, address: str = "") -> None:
    """Return if the webhook may be kept, else raise Refused. For an envelope with an API key, set the verdict's client to the
    key's. `address` is the caller's."""
    request, source = verdict.request, verdict.source
    authorization = request.headers.get("authorization") if verdict.adapter.name == ENVELOPE else None
    if verdict.authentic is not True and authorization and authenticate is not None:
        try:
            verdict.client = await authenticate(authorization, address)
        except Unscoped as error:
            raise Refused(403, str(error), source=source, detail=str(error)) from None
        except Unauthorized as error:
            raise Refused(401, str(error), source=source) from None
        except KeysUnavailable as error:
            raise Refused(503, str(error), source=source, retry_after=LATER) from None
        if (fault := fault_of(request, source)) is not None:
            raise fault
        verdict.authentic = verdict.accepted = True
    if not verdict.accepted:
        reason = verdict.reason or "not authentic"
        if verdict.authentic is None:
            reason += "; set the source's secret, or accept_unsigned if its provider signs nothing"
        raise Refused(401, reason, source=source)
    # Any link on a web page can cause a GET, so a GET needs a signature.
    if request.method == "GET" and verdict.authentic is not True:
        raise Refused(401, "an unsigned GET that is not a handshake", source=source)


async def unrecognised(request: Request, authenticate: Authenticate | None, why: str, address: str = "") -> Refused:
    """Return the refusal of a request that no source recognises: a bare 404. A caller with an API key for envelopes gets the
    reason as well."""
    authorization = request.headers.get("authorization")
    if authenticate is None or not authorization or request.method != "POST":
        return Refused(404, why)
    try:
        await authenticate(authorization, address)
    except Unscoped as error:
        return Refused(403, str(error), detail=str(error))
    except (Unauthorized, KeysUnavailable) as error:
        return Refused(404, f"{why}; {error}")
    return fault_of(request) or Refused(404, why, detail=f"{why[:1].upper()}{why[1:]}.")
