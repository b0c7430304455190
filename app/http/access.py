"""Authenticates API keys: who calls, for which client, with which scopes.

A key is `tl_<id>_<secret>`: the id finds its row, the secret is compared with the stored hash. The secret is 256 random bits,
so one round of SHA-256 suffices. Slow, salted hashes (bcrypt, Argon2) protect passwords that people choose; here they would
only let callers exhaust the service.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID, uuid4

from app.clients.ttl_cache import TtlCache
from app.http.rates import Rates

SCOPES: dict[str, str] = {
    "timeline:read": "read customers, interactions and their streams",
    "clients:read": "read the client's configuration, its versions and its accounts, without their secrets",
    "clients:write": "change the client's configuration and its accounts",
    "messages:read": "read the client's messages, and why one waits",
    "messages:write": "send, cancel and release messages",
    "recipients:read": "read recipients' consents and profiles",
    "recipients:write": "opt recipients out and in, and change their profiles",
    "callbacks:read": "read the state and the deliveries of the client's callback",
    "callbacks:write": "rotate the callback's secret, enable it, and replay deliveries",
    "dead-letters:read": "read the client's dead letters; their records and full reasons with timeline:read too",
    "dead-letters:write": "replay and discard the client's dead letters",
    "dead-letters:all": "for operators, beside dead-letters:read or :write: those of all clients, and of none",
    "webhooks:write": "post envelopes to /webhooks/aggregate, as a trusted relay",
    "metrics:read": "read /metrics, where it needs a key",
}

#: Seconds for which a key's row is cached, and so for which a revoked key may still work. The documented limit is a minute.
TTL = 30.0
#: Seconds for which the absence of a row is cached, so that an invalid key does not cost a query at each request.
UNKNOWN_TTL = 5.0
#: Cached keys.
REMEMBERED = 4096
#: Look-ups per second, and their burst, of keys that are not cached: each is a query, and callers can invent ids.
LOOK_UPS, LOOK_UPS_BURST = 50, 200

_TOKEN = re.compile(r"tl_([0-9a-f]{32})_([0-9a-f]{64})", re.ASCII)


class Unauthenticated(Exception):
    """There is no valid key. The message may go to the caller, since it reveals nothing about other keys."""


class TooManyUnknown(Exception):
    """Too many unknown keys were looked up, so this one is not. `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("Too many unknown API keys are being tried. Retry later.")
        self.wait = wait


class Forbidden(Exception):
    """The key is valid but lacks a scope, whose name is the message."""


@dataclass(frozen=True, slots=True)
class Key:
    """A verified key: its id, its name, its client and its scopes."""

    id: UUID
    name: str
    client: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """The name of this key in the audit log."""
        return f"key:{self.name}"


class Keys(Protocol):
    """The part of the store that is used here."""

    async def api_key(self, id: UUID) -> Mapping[str, Any] | None:
        """Return the row (id, name, client_id, scopes, hash, revoked_at, expires_at) of a key, or None."""
        ...


def mint() -> tuple[UUID, str, bytes]:
    """Make a new key: its id, the token to show once, and the hash to store."""
    id, secret = uuid4(), secrets.token_hex(32)
    return id, f"tl_{id.hex}_{secret}", fingerprint(secret)


def fingerprint(secret: str) -> bytes:
    """Return the hash of a secret that is stored: 32 bytes."""
    return sha256(secret.encode()).digest()


def unknown_scopes(scopes: Sequence[str]) -> list[str]:
    """Return the scopes that do not exist."""
    return [scope for scope in scopes if scope not in SCOPES]


def parts_of(token: str) -> tuple[UUID, str] | None:
    """Return the id and secret of a token, or None if it has not the form of a key."""
    match = _TOKEN.fullmatch(token)
    return (UUID(match[1]), match[2]) if match else None


def bearer(authorization: str | None) -> str:
    """Return the token of an `Authorization` header (RFC 6750 section 2.1). Raises Unauthenticated."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("An API key is needed: Authorization: Bearer tl_…")
    return token.strip()


class Access:
    """Checks keys and caches their rows for at most `ttl` seconds. `now` is a monotonic clock in seconds."""

    def __init__(
        self,
        keys: Keys,
        *,
        ttl: float = TTL,
        remembered: int = REMEMBERED,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        nothing_ttl = min(ttl, UNKNOWN_TTL)
        self._look_ups = Rates(LOOK_UPS, LOOK_UPS_BURST, now=now)
        #: The last use of each key since the last call of `take_used`.
        self._used: dict[UUID, datetime] = {}
        self._rows = TtlCache(keys.api_key, ttl, remembered, now, nothing_ttl=nothing_ttl)

    @property
    def remembered(self) -> int:
        """The number of cached keys."""
        return len(self._rows)

    def take_used(self) -> dict[UUID, datetime]:
        """Return and reset the last uses of keys, for storing."""
        used, self._used = self._used, {}
        return used

    async def check(self, authorization: str | None, scope: str | None, *, address: str = "") -> Key:
        """Return the key of an `Authorization` header. It must have `scope`, unless that is None.

        `address` is the caller's, by which look-ups of unknown keys are limited. Raises Unauthenticated, Forbidden,
        TooManyUnknown, or what the store raises while it is unreachable.
        """
        match = _TOKEN.fullmatch(bearer(authorization))
        row = await self._row(UUID(match[1]), address) if match else None
        # Compare even without a row, so that the response time does not reveal which ids exist.
        expected = bytes(row["hash"]) if row else bytes(32)
        same = hmac.compare_digest(fingerprint(match[2] if match else ""), expected)
        if row is None or not same or row["revoked_at"] is not None:
            raise Unauthenticated("This API key is not known, or was revoked.")
        now = datetime.now(UTC)
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise Unauthenticated(f"This API key expired at {row['expires_at']:%Y-%m-%dT%H:%M:%SZ}.")
        key = Key(row["id"], row["name"], row["client_id"], frozenset(row["scopes"]))
        if scope is not None and scope not in key.scopes:
            raise Forbidden(scope)
        self._used[key.id] = now
        return key

    async def _row(self, id: UUID, address: str) -> Mapping[str, Any] | None:
        # A key that was valid before is looked up regardless of the limit.
        if self._rows.last(id) is None and not (taken := self._look_ups.take(address)).passes:
            raise TooManyUnknown(taken.wait)
        return await self._rows.get(id)
