"""Checks the API keys of envelopes at the door, and notes when keys were last used."""

import asyncio

import psycopg
import structlog

from app.api import Api
from app.http.access import Forbidden, NotAllowed, TooManyUnknown, Unauthenticated
from app.http.jwks import IssuerAway
from app.http.permits import ENVELOPES, ROUTES
from webhooks.admit import KeysUnavailable, Unauthorized, Unscoped
from webhooks.cancelled import pass_on, rest

#: The scope that an API key needs to post envelopes.
SCOPE = ROUTES[ENVELOPES].scope
#: Seconds that looking up a key may take.
PATIENCE = 2.0
#: Seconds between two writes of when keys were last used.
NOTE_EVERY = 60.0

log = structlog.get_logger("http")


async def client_of(served: Api | None, authorization: str, address: str) -> str:
    """Return the client whose API key may post envelopes. `served`: None before the process has started. Raises the exceptions of
    `webhooks.admit.Authenticate`."""
    if served is None:
        raise KeysUnavailable("not started yet")
    try:
        async with asyncio.timeout(PATIENCE):
            key = await served.access.check(authorization, SCOPE, address=address)
        if key.several:
            raise Unscoped("An envelope needs a credential of one client: this one acts for several.")
        return key.client
    except NotAllowed as error:
        served.audit.refused(403, address, "")
        raise Unscoped(str(error)) from None
    except Unauthenticated as error:
        served.audit.refused(401, address, "")
        raise Unauthorized(str(error)) from None
    except Forbidden as error:
        served.audit.refused(403, address, "")
        raise Unscoped(f"The API key has no scope {error}.") from None
    except TooManyUnknown as error:
        raise KeysUnavailable(str(error)) from None
    except IssuerAway as error:
        raise KeysUnavailable(str(error)) from None
    except (psycopg.Error, OSError, TimeoutError) as error:
        raise KeysUnavailable(f"the API keys cannot be read: {type(error).__name__}") from None


async def note_used(served: Api) -> None:
    """Store when keys were last used, once a minute, without end."""
    while True:
        await rest(NOTE_EVERY)
        used = served.access.take_used()
        try:
            await served.store.used_api_keys(used)
        except (psycopg.Error, OSError) as error:  # dropped: keys still in use are stored a minute later
            pass_on(error)
            log.warning("keys_not_noted", error=type(error).__name__)
