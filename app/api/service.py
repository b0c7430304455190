"""Admits callers to the API's routes: by their API keys, tokens and sessions."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from app.api.state import Api, api_of
from app.clients.ids import is_client_id
from app.http.access import Forbidden, Key, NotAllowed, TooManyUnknown, Unauthenticated, bearer, scoped
from app.http.jwks import BETWEEN, IssuerAway
from app.http.problems import Problem
from app.http.scopes import CONSENTS, PERSONAL
from app.http.tokens import fault_of, id_of
from app.login.cookies import cookie_in
from app.login.crossing import crosses
from app.login.sessions import COOKIE
from app.settings import Settings
from sql.origin import ORIGIN, Origin

__all__ = [
    "Api",
    "address_of",
    "admit",
    "answer_fields",
    "api_of",
    "authenticated",
    "caller",
    "enter",
    "lacking",
    "request_id",
    "require",
    "sees",
    "sees_consents",
]

REALM = "threadline"
#: The header in which a request names its client, where the credential acts for several.
CLIENT_HEADER = "Threadline-Client"

#: A request's id of the caller that is kept in the audit.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


async def enter(request: Request, scope: str | None) -> None:
    """Admit the caller of a request, which `caller` returns from then on: it must have the scope (None: any credential), be within its
    rate limit, and act for one client.

    Raises Problem 400 where the request must name the client, 401 and 403 (RFC 6750 section 3), and 429 (RFC 6585 section 4). The
    rest of the rate limit goes into the answer's headers: see `answer_fields`.
    """
    key, api = await authenticated(request, scope), api_of(request)
    taken = api.rates.take(key.id)
    request.state.fields = fields = api.rates.fields(taken)
    if not taken.passes:
        raise Problem(429, "This API key asks too often.", headers=fields)
    request.state.key = _for_one(key, request.headers.get(CLIENT_HEADER))


def caller(request: Request) -> Key:
    """Return the API key of a request that `enter` admitted."""
    key: Key = request.state.key
    return key


def sees(request: Request) -> bool:
    """Return whether the caller of a request that `enter` admitted may see personal data in clear."""
    return PERSONAL in caller(request).scopes


def sees_consents(request: Request) -> bool:
    """Return whether the caller of a request that `enter` admitted may know who opted out."""
    return not CONSENTS.isdisjoint(caller(request).scopes)


def require(request: Request, scope: str) -> None:
    """Raise Problem 403 unless the caller of a request that `enter` admitted has one more scope."""
    if scope not in caller(request).scopes:
        raise lacking(scope, f"This needs the scope {scope} too, since it gives personal data that cannot be masked.")


def lacking(scope: str | None, detail: str) -> Problem:
    """Return the problem of a credential without a scope, with the challenge of RFC 6750."""
    challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'
    return Problem(403, detail, scope=scope, headers={"www-authenticate": challenge})


def clients_of(request: Request, scope: str | None) -> tuple[str, ...] | None:
    """Return the clients for which a request that `enter` admitted acts in the store: its caller's; None for all, of dead letters
    where the caller may have those of all clients and of none."""
    key = caller(request)
    whole = scope is not None and scope.startswith("dead-letters:") and "dead-letters:all" in key.scopes
    return None if whole else (key.client,)


def _for_one(key: Key, named: str | None) -> Key:
    """Return the credential, acting for the client that the request names if it may act for several. Raises Problem."""
    if not key.several:
        if named is not None and named != key.client:
            raise Problem(403, f"This credential acts for another client than the one that {CLIENT_HEADER} names.")
        return key
    if not named or not is_client_id(named):
        words = f"This credential acts for several clients: name one in the header {CLIENT_HEADER}."
        raise Problem(400, words, parameter=CLIENT_HEADER)
    if key.clients and named not in key.clients:
        raise Problem(403, f"This credential does not act for the client that {CLIENT_HEADER} names.")
    return replace(key, client=named)


async def authenticated(request: Request, scope: str | None) -> Key:
    """Return the credential of a request, as `caller` does, without a rate limit. Raises Problem 401, 403 and 429."""
    header = request.headers.get("authorization")
    address = address_of(request)
    try:
        key = await _credential(request, header, scope, address)
    except TooManyUnknown as error:
        raise Problem(429, str(error), headers={"retry-after": str(math.ceil(error.wait))}) from error
    except IssuerAway as error:
        detail = "Tokens cannot be verified now: their issuer does not answer."
        raise Problem(503, detail, headers={"retry-after": str(math.ceil(BETWEEN))}) from error
    except Unauthenticated as error:
        # RFC 6750 section 3.1: a request without credentials gets no error code.
        code = ', error="invalid_token"' if header else ""
        api_of(request).audit.refused(401, address, "")
        raise Problem(401, str(error), headers={"www-authenticate": f'Bearer realm="{REALM}"{code}'}) from error
    except NotAllowed as error:
        api_of(request).audit.refused(403, address, _id_in(header))
        raise Problem(403, str(error)) from error
    except Forbidden as error:
        api_of(request).audit.refused(403, address, _id_in(header))
        raise lacking(scope, f"This API key has no scope {scope}.") from error
    request.scope.setdefault("state", {})["key"] = key
    by = Origin(key.actor, key.audited_id, address or None, request_id(request), key.id, key.makers)
    ORIGIN.set(by)
    return key


async def _credential(request: Request, header: str | None, scope: str | None, address: str) -> Key:
    """Return the credential of a request: of its header `Authorization`, or without one its session, which may get another cookie.
    Raises as `Access.check` does."""
    people = api_of(request).people
    secret = cookie_in(request.scope, COOKIE) if people is not None and header is None else None
    if people is None or secret is None:
        return await api_of(request).access.check(header, scope, address=address)
    if crosses(request.method, request.headers, people.url):
        raise NotAllowed("This request may be another site's, which made the browser send its cookie.")
    session = await people.sessions.check(secret, address=address)
    request.scope.setdefault("state", {})["cookie"] = session.cookie
    return scoped(session.key, scope)


def address_of(request: Request) -> str:
    """Return the caller's address, or nothing where it has none."""
    return request.client.host if request.client else ""


def request_id(request: Request) -> str:
    """Return the id that the caller gave its request (`X-Request-Id`), or a new one where there is none that can be kept."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _id_in(header: str | None) -> str:
    """Return the id of the API key in a header that was checked; nothing of a token of an issuer, or of a session."""
    if header is None:
        return ""
    token = bearer(header)
    return str(id_of(token)) if fault_of(token) is None else ""


def answer_fields(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an answer that the API's rate limit, and a session, make for a request's ASGI scope."""
    state = scope.get("state", {})
    fields: dict[str, str] = state.get("fields", {})
    return fields | {"set-cookie": cookie} if (cookie := state.get("cookie")) else fields


async def admit(request: Request, settings: Settings, opened: str | None, scope: str | None) -> None:
    """Allow a request for a page of the process itself if the setting `opened` is "open" (or not set, and the process
    listens on loopback only); else require an API key with the scope. Raises Problem."""
    if not is_open(settings, opened):
        await authenticated(request, scope)


def is_open(settings: Settings, opened: str | None) -> bool:
    """Return whether pages with this setting need no API key."""
    return (opened or ("open" if _is_loopback(settings.door.host) else "key")) == "open"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
