"""The security headers of all answers of the HTTP process: one table, by who answers.

A route's own header of the same name takes precedence (the policy of the page /docs, the caching of a description).
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: No browser may guess another content type than the one stated, and no cache may store what may be personal data.
_ALL = {"x-content-type-options": "nosniff", "cache-control": "no-store"}

#: Of pages and the API, which a browser may show: nothing is loaded, nothing frames it or reads it from another origin, and no
#: link tells its URL.
PAGES: Mapping[str, str] = _ALL | {
    "content-security-policy": "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
#: Of the door, which answers servers. Each header costs time at each webhook.
DOOR: Mapping[str, str] = _ALL
#: In addition, where this process ends TLS: browsers use HTTPS for two years (RFC 6797). A proxy that ends TLS sets its own.
HTTPS: Mapping[str, str] = {"strict-transport-security": "max-age=63072000; includeSubDomains"}


def form_policy(origin: str, style: str) -> dict[str, str]:
    """Return the headers of a page with a form, in place of those of PAGES: it goes to this host, which may answer with a redirect to
    `origin`, where that is not empty; `style`: the source of the page's style. With `no-referrer` browsers would state the form's
    origin as null."""
    sources = f"default-src 'none'; style-src {style}; object-src 'none'; base-uri 'none'"
    policy = f"{sources}; form-action 'self' {origin}".rstrip()
    return {"content-security-policy": f"{policy}; frame-ancestors 'none'", "referrer-policy": "same-origin"}


def fields(table: Mapping[str, str], scope: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the headers of an answer to the request with this ASGI scope. Its scheme is that of the connection itself."""
    return {**table, **HTTPS} if scope["scheme"] == "https" else table


def with_fields(message: Message, more: Mapping[str, str]) -> Message:
    """Return the start of an answer with these headers too, but for those that it has."""
    given = {name for name, _ in message["headers"]}
    added = [(name.encode(), value.encode()) for name, value in more.items()]
    return {**message, "headers": [*message["headers"], *(pair for pair in added if pair[0] not in given)]}


class Secured:
    """An ASGI application whose answers have the headers of a table."""

    def __init__(self, app: ASGIApp, table: Mapping[str, str]) -> None:
        self._app, self._table = app, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = with_fields(message, fields(self._table, scope))
            await send(message)

        await self._app(scope, receive, secured)
