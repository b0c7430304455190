"""Holds what the API's routes share: the store, the access check, the tailer; and authenticates callers."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from starlette.requests import Request

from app.api.accepting import Accepting
from app.api.tailer import Tailer
from app.auditing.entering import Auditing
from app.clients.configured import Clients
from app.http.access import Access, Forbidden, Key, NotAllowed, TooManyUnknown, Unauthenticated, bearer
from app.http.issued import Tokens
from app.http.jwks import BETWEEN, IssuerAway
from app.http.problems import Problem
from app.http.rates import Rates
from app.http.scopes import ALL_CLIENTS
from app.http.tokens import fault_of, id_of
from app.settings import Settings
from sql import EventStore
from sql.origin import ORIGIN, Origin
from webhooks.blobs import Blobs

REALM = "threadline"
#: The header in which a request names its client, where the credential acts for all.
CLIENT_HEADER = "Threadline-Client"

#: A client's id.
_CLIENT = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
#: A request's id of the caller that is kept in the audit.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(slots=True)
class Api:
    """The API's state, one for each process, at `app.state.api`. `close` ends the streams, so that the process can
    end."""

    store: EventStore
    access: Access
    tailer: Tailer
    settings: Settings
    clients: Clients
    taking: Accepting
    rates: Rates
    blobs: Blobs
    audit: Auditing
    streams: Counter[str] = field(default_factory=Counter)
    accepting: int = 0
    #: One search for an attachment at a time, as the webhook that has it is in memory several times.
    searches: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @classmethod
    def of(cls, store: EventStore, settings: Settings, blobs: Blobs) -> "Api":
        """Make the API for a store of events and one of blobs, which others open and close."""
        tokens = Tokens(settings.identity) if settings.identity.issuer is not None else None
        return cls(
            store=store,
            access=Access(store, kind=settings.api.keys, tokens=tokens),
            tailer=Tailer(store),
            settings=settings,
            clients=Clients(store, settings),
            taking=Accepting(store),
            rates=Rates(settings.api.rate, settings.api.burst),
            blobs=blobs,
            audit=Auditing(store, settings.audit),
        )

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self.settings = settings
        self.clients.use(settings)
        self.audit.use(settings.audit)
        self.rates.change(settings.api.rate, settings.api.burst)

    def close(self) -> None:
        """End the streams. Call it when the process is asked to end, before waiting for its connections."""
        self.tailer.close()


def api_of(request: Request) -> Api:
    """Return the API of a request's application."""
    api: Api = request.app.state.api
    return api


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


def clients_of(request: Request, scope: str | None) -> tuple[str, ...] | None:
    """Return the clients for which a request that `enter` admitted acts in the store: its caller's; None for all, of dead letters
    where the caller may have those of all clients and of none."""
    key = caller(request)
    whole = scope is not None and scope.startswith("dead-letters:") and "dead-letters:all" in key.scopes
    return None if whole else (key.client,)


def _for_one(key: Key, named: str | None) -> Key:
    """Return the credential, acting for the client that the request names if it may act for all. Raises Problem."""
    if key.client != ALL_CLIENTS:
        if named is not None and named != key.client:
            raise Problem(403, f"This API key acts for another client than the one that {CLIENT_HEADER} names.")
        return key
    if not named or named == ALL_CLIENTS or not _CLIENT.fullmatch(named):
        words = f"This API key acts for all clients: name one in the header {CLIENT_HEADER}."
        raise Problem(400, words, parameter=CLIENT_HEADER)
    return replace(key, client=named)


async def authenticated(request: Request, scope: str | None) -> Key:
    """Return the API key of a request, as `caller` does, without a rate limit. Raises Problem 401, 403 and 429."""
    header = request.headers.get("authorization")
    address = request.client.host if request.client else ""
    try:
        key = await api_of(request).access.check(header, scope, address=address)
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
        challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'
        detail = f"This API key has no scope {scope}."
        api_of(request).audit.refused(403, address, _id_in(header))
        raise Problem(403, detail, scope=scope, headers={"www-authenticate": challenge}) from error
    request.scope.setdefault("state", {})["key"] = key
    ORIGIN.set(Origin(key.actor, key.audited_id, address or None, _request_id(request)))
    return key


def _request_id(request: Request) -> str:
    """Return the id that the caller gave its request (`X-Request-Id`), or a new one where there is none that can be kept."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def _id_in(header: str | None) -> str:
    """Return the id of the API key in a header that was checked; nothing of a token of an issuer."""
    token = bearer(header)
    return str(id_of(token)) if fault_of(token) is None else ""


def answer_fields(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an answer that the API's rate limit makes, for a request's ASGI scope."""
    fields: dict[str, str] = scope.get("state", {}).get("fields", {})
    return fields


async def admit(request: Request, settings: Settings, opened: str | None, scope: str | None) -> None:
    """Allow a request for a page of the process itself if the setting `opened` is "open" (or not set, and the process
    listens on loopback only); else require an API key with the scope. Raises Problem."""
    if (opened or ("open" if _is_loopback(settings.door.host) else "key")) != "open":
        await authenticated(request, scope)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
