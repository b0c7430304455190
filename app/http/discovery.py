"""Fetches JSON from issuers: their descriptions (OpenID Connect Discovery 1.0, RFC 8414), their keys, and answers to forms."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
import orjson

#: Seconds for one exchange with an issuer, and bytes that an answer may have.
PATIENCE, MOST = 5.0, 1 << 20


@asynccontextmanager
async def exchange() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client for one exchange with an issuer. Raises TimeoutError if it takes too long."""
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(timeout=PATIENCE, verify=_trusted()) as http:
        yield http


@cache
def _trusted() -> ssl.SSLContext:
    """Return what every exchange trusts. To load the certificates takes 30 ms of the event loop, which takes webhooks too, and callers
    who are not known can cause exchanges."""
    return httpx.create_ssl_context()


async def json_of(
    http: httpx.AsyncClient,
    url: str,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    *,
    refusals: bool = False,
) -> dict[str, Any]:
    """Return the JSON object at a URL, or that answers a form that is posted to it, without following redirects.

    With `refusals` also the object of an answer 400, 401 or 403, which has an `error` (RFC 6749 section 5.2). Raises httpx.HTTPError,
    httpx.InvalidURL, ValueError.
    """
    body, allowed = b"", (200, 400, 401, 403) if refusals else (200,)
    method = "GET" if form is None else "POST"
    basic = httpx.USE_CLIENT_DEFAULT if auth is None else httpx.BasicAuth(*auth)
    async with http.stream(method, url, headers={"accept": "application/json"}, data=form, auth=basic) as response:
        if response.status_code not in allowed:
            raise ValueError(f"it was answered with {response.status_code}")
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > MOST:
                raise ValueError("it is too large")
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    if response.status_code != 200 and not isinstance(document.get("error"), str):
        raise ValueError(f"it was answered with {response.status_code}, without an error")
    return document


async def description_of(http: httpx.AsyncClient, issuer: str) -> dict[str, Any]:
    """Return an issuer's description of itself. Raises as `json_of` does."""
    found = await json_of(http, issuer.rstrip("/") + "/.well-known/openid-configuration")
    # OpenID Connect Discovery section 4.3: another issuer's document is not this one's.
    if found.get("issuer") != issuer:
        raise ValueError("the document is of another issuer")
    return found


def endpoint(description: Mapping[str, Any], name: str) -> str:
    """Return the URL of an endpoint of a description. Raises ValueError if it has none, or one that is less protected than the issuer."""
    url = description.get(name)
    if not isinstance(url, str):
        raise ValueError(f"the issuer's description has no {name}")
    if httpx.URL(description["issuer"]).scheme == "https" != httpx.URL(url).scheme:
        raise ValueError(f"the issuer's {name} is not an https URL")
    return url
