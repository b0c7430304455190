"""May this webhook be kept: a verdict in; nothing out where it may, a refusal where it may not.

A provider's request must be authentic, or its source accept unsigned ones. An envelope may instead come with an API key.
"""

from collections.abc import Awaitable, Callable

from adapters.contract.receiving import Request
from webhooks.envelopes import fault_of
from webhooks.recognise import ENVELOPE, Verdict
from webhooks.replies import Refused

#: Asked with an `Authorization` header for the client whom its API key lets post envelopes. Raises `Unauthorized`,
#: `Unscoped`, or `CannotTell` where the keys cannot be read now.
Authenticate = Callable[[str], Awaitable[str]]

#: Seconds after which a caller may come again whom we could not serve.
LATER = 10


class Unauthorized(Exception):
    """No key, or a bad one; the message says which, for the operator."""


class Unscoped(Unauthorized):
    """A good key that may not post envelopes. The message may be told to the caller: it names the scope."""


class CannotTell(Exception):
    """Whether the key is good cannot be known now; the message says why."""


async def admit(verdict: Verdict, authenticate: Authenticate | None) -> None:
    """Return where the webhook may be kept; of an envelope with a key, `client` is then the key's. Raises Refused."""
    request, source = verdict.request, verdict.source
    authorization = request.headers.get("authorization") if verdict.adapter.NAME == ENVELOPE else None
    if verdict.authentic is not True and authorization and authenticate is not None:
        try:
            verdict.client = await authenticate(authorization)
        except Unscoped as error:
            raise Refused(403, str(error), source=source, detail=str(error)) from None
        except Unauthorized as error:
            raise Refused(401, str(error), source=source) from None
        except CannotTell as error:
            raise Refused(503, str(error), source=source, retry_after=LATER) from None
        if (fault := fault_of(request, source)) is not None:
            raise fault
        verdict.authentic = verdict.accepted = True
    if not verdict.accepted:
        reason = verdict.reason or "not authentic"
        if verdict.authentic is None:
            reason += "; set the source's secret, or accept_unsigned if it has none to give"
        raise Refused(401, reason, source=source)
    # Any link makes a GET: only a signature tells that it is a provider's.
    if request.method == "GET" and verdict.authentic is not True:
        raise Refused(401, "a GET that is no handshake, unsigned", source=source)


async def unrecognised(request: Request, authenticate: Authenticate | None, why: str) -> Refused:
    """What a request of no source that is known is refused with: 404, and nothing else; who brings an API key that may post
    envelopes hears what is wrong with this one."""
    authorization = request.headers.get("authorization")
    if authenticate is None or not authorization or request.method != "POST":
        return Refused(404, why)
    try:
        await authenticate(authorization)
    except Unscoped as error:
        return Refused(403, str(error), detail=str(error))
    except (Unauthorized, CannotTell) as error:
        return Refused(404, f"{why}; {error}")
    return fault_of(request) or Refused(404, why, detail=f"{why[:1].upper()}{why[1:]}.")
