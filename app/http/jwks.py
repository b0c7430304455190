"""The keys of an issuer of tokens: fetched, and cached.

A set is used for 15 minutes, and for a day while the issuer is away. A key id that it does not have makes one further fetch in 30
seconds, since an issuer that rotates its keys signs with the new one at once. RFC 7517, RFC 8725.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import orjson
from jwt import PyJWK
from jwt.exceptions import PyJWTError

#: Seconds for which a set is used, for which it is used while the issuer is away, and between two fetches for whatever reason.
FRESH, STALE, BETWEEN = 900.0, 86_400.0, 30.0
#: Seconds for one fetch, and bytes that it may have.
PATIENCE, MOST = 5.0, 1 << 20
#: Only algorithms whose verifying key is public.
ASYMMETRIC = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
_RSA_BITS = 2048


class IssuerAway(Exception):
    """The issuer's keys cannot be fetched, and none that were are recent enough. The message is for the operator."""


class Jwks:
    """The keys of one issuer. `now` is a monotonic clock in seconds."""

    def __init__(self, issuer: str, url: str | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._issuer, self._url, self._now = issuer, url, now
        self._keys: dict[str, PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._turn = asyncio.Lock()

    async def key(self, id: str) -> PyJWK | None:
        """Return the issuer's key of this id, None if it has none. Raises IssuerAway."""
        if self._due(id):
            async with self._turn:
                if self._due(id):  # no other request fetched them meanwhile
                    await self._fetch()
        if self._fetched is None or self._now() - self._fetched > STALE:
            raise IssuerAway("the issuer's keys cannot be fetched")
        return self._keys.get(id)

    def _due(self, id: str) -> bool:
        now = self._now()
        if self._tried is not None and now - self._tried < BETWEEN:
            return False
        return self._fetched is None or now - self._fetched >= FRESH or id not in self._keys

    async def _fetch(self) -> None:
        self._tried = began = self._now()
        try:
            async with asyncio.timeout(PATIENCE), httpx.AsyncClient(timeout=PATIENCE) as http:
                url = self._url or (await self._discovered(http))
                self._keys = keys_of(await _json(http, url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError):
            return  # what was fetched before goes on, until it is stale
        self._fetched = began

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        found = await _json(http, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        url = found.get("jwks_uri")
        # OpenID Connect Discovery section 4.3: another issuer's document is not this one's.
        if found.get("issuer") != self._issuer or not isinstance(url, str):
            raise ValueError("the document is of another issuer, or names no keys")
        if httpx.URL(self._issuer).scheme == "https" != httpx.URL(url).scheme:
            raise ValueError("the keys are not at an https URL")
        return url


def keys_of(document: dict[str, Any]) -> dict[str, PyJWK]:
    """Return the usable keys of a set by their ids: for signatures, of an asymmetric algorithm, long enough. An id that two keys share
    names neither. Raises ValueError if it is no set."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("it is no set of keys")
    named = [one for one in listed if isinstance(one, dict) and isinstance(one.get("kid"), str)]
    times = Counter(one["kid"] for one in named)
    keys = {}
    for one in named:
        if times[one["kid"]] > 1 or one.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK(one)
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
        short = one.get("kty") == "RSA" and key.key.key_size < _RSA_BITS
        if key.algorithm_name in ASYMMETRIC and not short:
            keys[one["kid"]] = key
    return keys


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Return the JSON object at a URL, without following redirects. Raises httpx.HTTPError, ValueError."""
    body = b""
    async with http.stream("GET", url, headers={"accept": "application/json"}) as response:
        if response.status_code != 200:
            raise ValueError("it was not answered with 200")
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > MOST:
                raise ValueError("it is too large")
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    return document
