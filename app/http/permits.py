"""The table of who may call what: for each route its scope, and for each command that calls the API its routes. Pure.

The routes are built from this table, so that a route without a row cannot be served.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starlette.routing import BaseRoute, Route

from app.http.scopes import PERSONAL


@dataclass(frozen=True, slots=True)
class Need:
    """What a route needs: a credential with the scope (None: any credential), and `also` with this one, where it gives what cannot be
    masked.

    `open` says when it needs none: `never`, `always`, or as the setting of this name in the table `api` says.
    """

    scope: str | None
    open: Literal["never", "always", "metrics", "description"] = "never"
    also: str | None = None


_OPEN, _DESCRIPTION = Need(None, "always"), Need(None, "description")

#: The route by which webhooks come. A provider's webhook needs its signature instead of a credential.
ENVELOPES = "POST /webhooks/aggregate"

#: What each route needs, by its method and its path as the router has it.
ROUTES: dict[str, Need] = {
    "GET /healthz": _OPEN,
    "GET /readyz": _OPEN,
    "GET /metrics": Need("metrics:read", "metrics"),
    "GET /openapi.json": _DESCRIPTION,
    "GET /asyncapi.json": _DESCRIPTION,
    "GET /": _OPEN,
    "GET /login": _OPEN,
    "GET /login/callback": _OPEN,
    "POST /login/back-channel": _OPEN,
    "POST /logout": _OPEN,
    "GET /docs": _DESCRIPTION,
    "GET /docs/scalar.js": _DESCRIPTION,
    "GET /docs/start.js": _DESCRIPTION,
    "GET /docs/icon.svg": _DESCRIPTION,
    ENVELOPES: Need("webhooks:write"),
    f"{ENVELOPES}/{{source}}": Need("webhooks:write"),
    "GET /api/customers": Need("timeline:read"),
    "GET /api/customers/{id}/interactions": Need("timeline:read"),
    "GET /api/customers/{id}/interactions/stream": Need("timeline:read"),
    "GET /api/interactions/{id}": Need("timeline:read"),
    "GET /api/interactions/{id}/attachments/{n}": Need("timeline:read", also=PERSONAL),
    "GET /v1/customers": Need("timeline:read"),
    "GET /v1/customers/{id}": Need("timeline:read"),
    "POST /v1/customers/{id}/merge": Need("customers:write"),
    "POST /v1/customers/{id}/link": Need("customers:write"),
    "POST /v1/customers/{id}/split": Need("customers:write"),
    "POST /v1/customers/{id}/unlink": Need("customers:write"),
    "POST /v1/customer-changes/{id}/undo": Need("customers:write"),
    "GET /v1/customer-conflicts": Need("timeline:read"),
    "DELETE /v1/customers/{id}": Need("customers:erase"),
    "PUT /v1/customers/{id}/hold": Need("customers:hold"),
    "DELETE /v1/customers/{id}/hold": Need("customers:hold"),
    "GET /v1/customers/{id}/export": Need("customers:export", also=PERSONAL),
    "GET /v1/erasures": Need("customers:erase"),
    "GET /v1/erasures/{id}": Need("customers:erase"),
    "POST /v1/erasures/{id}/approve": Need("customers:erase"),
    "POST /v1/erasures/{id}/refuse": Need("customers:erase"),
    "GET /v1/clients": Need("clients:read"),
    "GET /v1/clients/{id}": Need("clients:read"),
    "PUT /v1/clients/{id}": Need("clients:write"),
    "GET /v1/clients/{id}/versions": Need("clients:read"),
    "GET /v1/clients/{id}/accounts": Need("clients:read"),
    "PUT /v1/clients/{id}/accounts/{name}": Need("clients:write"),
    "DELETE /v1/clients/{id}/accounts/{name}": Need("clients:write"),
    "GET /v1/recipients/{handle:path}": Need("recipients:read"),
    "PUT /v1/recipients/{handle:path}": Need("recipients:write"),
    "PUT /v1/recipients/{handle:path}/consents/{channel}": Need("recipients:write"),
    "GET /v1/callback": Need("callbacks:read"),
    "GET /v1/callback/deliveries": Need("callbacks:read"),
    "POST /v1/callback/secret": Need("callbacks:write"),
    "POST /v1/callback/enable": Need("callbacks:write"),
    "POST /v1/callback/replay": Need("callbacks:write"),
    "GET /v1/dead-letters": Need("dead-letters:read"),
    "GET /v1/dead-letters/groups": Need("dead-letters:read"),
    "GET /v1/dead-letters/{id}": Need("dead-letters:read"),
    "POST /v1/dead-letters/replay": Need("dead-letters:write"),
    "POST /v1/dead-letters/discard": Need("dead-letters:write"),
    "POST /v1/dead-letters/{id}/replay": Need("dead-letters:write"),
    "POST /v1/dead-letters/{id}/discard": Need("dead-letters:write"),
    "GET /v1/messages": Need("messages:read"),
    "POST /v1/messages": Need("messages:write"),
    "POST /v1/messages/cancel": Need("messages:write"),
    "POST /v1/messages/release": Need("messages:write"),
    "GET /v1/messages/{id:path}": Need("messages:read"),
    "GET /v1/messages/{id:path}/explain": Need("messages:read"),
    "POST /v1/messages/{id:path}/cancel": Need("messages:write"),
    "POST /v1/messages/{id:path}/release": Need("messages:write"),
    "GET /v1/audit": Need("audit:read"),
    "GET /v1/sessions": Need("sessions:read"),
    "DELETE /v1/sessions/{id}": Need("sessions:write"),
    "POST /v1/{channel}/messages": Need("messages:write"),
}

#: The routes that each command calls.
COMMANDS: dict[str, tuple[str, ...]] = {
    "send": ("POST /v1/messages",),
    "messages list": ("GET /v1/messages",),
    "messages show": ("GET /v1/messages/{id:path}",),
    "messages explain": ("GET /v1/messages/{id:path}/explain",),
    "messages cancel": ("POST /v1/messages/{id:path}/cancel", "POST /v1/messages/cancel"),
    "messages release": ("POST /v1/messages/{id:path}/release", "POST /v1/messages/release"),
}


def need_of(method: str, path: str) -> Need:
    """Return what a route needs. Raises LookupError for one that is not in the table."""
    try:
        return ROUTES[f"{'GET' if method == 'HEAD' else method} {path}"]
    except KeyError:
        raise LookupError(f"{method} {path} is not in the table of app.http.permits, so nobody may call it") from None


def checked(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Return the routes. Raises LookupError if one of them is not in the table, or is no plain route."""
    listed = list(routes)
    for route in listed:
        if not isinstance(route, Route):
            raise LookupError(f"{route} has no path and methods that the table of app.http.permits could name")
        for method in route.methods or ("any method of",):
            need_of(method, route.path)
    return listed
