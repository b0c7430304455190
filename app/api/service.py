"""What the routes of the API work with: the store, the keys, and the reader of the log's end."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from starlette.requests import Request

from app.api.accepting import Accepting
from app.api.tailer import Tailer
from app.clients.configured import Clients
from app.http.access import Access, Forbidden, Key, TooManyUnknown, Unauthenticated
from app.http.problems import Problem
from app.http.rates import Rates
from app.settings import Settings
from sql import EventStore

REALM = "threadline"

#: Answers may hold personal data, so nothing on the way keeps them, and no browser takes one for another type than it says.
SECURE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


@dataclass(slots=True)
class Api:
    """One of a process, at `app.state.api`; `close` lets the streams go, so that the process can end."""

    store: EventStore
    access: Access
    tailer: Tailer
    settings: Settings
    clients: Clients
    taking: Accepting
    rates: Rates
    streams: Counter[str] = field(default_factory=Counter)
    accepting: int = 0

    @classmethod
    def of(cls, store: EventStore, settings: Settings) -> "Api":
        """The API on a store."""
        return cls(
            store=store,
            access=Access(store),
            tailer=Tailer(store),
            settings=settings,
            clients=Clients(store, settings),
            taking=Accepting(store),
            rates=Rates(settings.api.rate, settings.api.burst),
        )

    def close(self) -> None:
        """To be called when the process is told to end, before its connections are waited for."""
        self.tailer.close()


def api_of(request: Request) -> Api:
    """The API that a request is put to."""
    api: Api = request.app.state.api
    return api


async def caller(request: Request, scope: str | None) -> Key:
    """The key of a request, which must have the scope (None: any key) and not ask too often.

    Raises Problem 401 and 403 (RFC 6750 section 3) and 429 (RFC 6585 section 4). What is left of the key's rate goes
    into the answer's fields: see `answer_fields`.
    """
    key, api = await authenticated(request, scope), api_of(request)
    taken = api.rates.take(key.id)
    fields = api.rates.fields(taken)
    request.scope.setdefault("state", {})["fields"] = fields
    if not taken.passes:
        raise Problem(429, "This API key asks too often.", headers=fields)
    return key


async def authenticated(request: Request, scope: str | None) -> Key:
    """The key of a request, as `caller` gives it, at whatever rate it asks."""
    header = request.headers.get("authorization")
    address = request.client.host if request.client else ""
    try:
        return await api_of(request).access.check(header, scope, address=address)
    except TooManyUnknown as error:
        raise Problem(429, str(error), headers={"retry-after": str(math.ceil(error.wait))}) from error
    except Unauthenticated as error:
        # RFC 6750 section 3.1: a request without credentials gets no error code.
        code = ', error="invalid_token"' if header else ""
        raise Problem(401, str(error), headers={"www-authenticate": f'Bearer realm="{REALM}"{code}'}) from error
    except Forbidden as error:
        challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{scope}"'
        detail = f"This API key has no scope {scope}."
        raise Problem(403, detail, scope=scope, headers={"www-authenticate": challenge}) from error


def answer_fields(scope: Mapping[str, Any]) -> dict[str, str]:
    """What every answer of the API has in its header beside the route's own, given the request's ASGI scope."""
    fields: dict[str, str] = scope.get("state", {}).get("fields", {})
    return SECURE | fields


async def admit(request: Request, settings: Settings, opened: str | None, scope: str | None) -> None:
    """Let a request for a page of the process itself pass where the setting `opened` is "open" (or not set, and the
    process listens on loopback alone); else it needs a key with the scope. Raises Problem."""
    if (opened or ("open" if _is_loopback(settings.door.host) else "key")) != "open":
        await authenticated(request, scope)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
