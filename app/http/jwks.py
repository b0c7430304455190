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
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from app.http.discovery import description_of, endpoint, exchange, json_of

#: Seconds for which a set is used, for which it is used while the issuer is away, and between two fetches for whatever reason.
FRESH, STALE, BETWEEN = 900.0, 86_400.0, 30.0
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
            async with exchange() as http:
                url = self._url or (await self._discovered(http))
                self._keys = keys_of(await json_of(http, url))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError):
            return  # what was fetched before goes on, until it is stale
        self._fetched = began

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        return endpoint(await description_of(http, self._issuer), "jwks_uri")


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
