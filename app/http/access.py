"""API keys: who calls, for which client, and what the key may do.

A key is `tl_<id>_<secret>`: the id finds its row, the secret proves it. The secret is 256 random bits, so one round of
SHA-256 is the right hash: the slow, salted ones (bcrypt, Argon2) exist to make guessing a person's password dear, and
2^256 cannot be guessed at any price, whereas a slow hash at every call would be a way to tire the service out.
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
    "messages:read": "read how far the client's messages are, and why one waits",
    "messages:write": "have messages sent, and cancel or release them",
    "recipients:read": "read what recipients want, and their profiles",
    "recipients:write": "opt recipients out and in, and change their profiles",
    "callbacks:read": "read how the client's callback does, and what was told to it",
    "callbacks:write": "make a new secret for the callback, enable it, and tell what was told again",
    "webhooks:write": "post the envelope to the webhook door",
    "metrics:read": "read the process's metrics, where they are not open",
}

#: Seconds a key's row is believed: how long a revoked key may still work. The promise is a minute.
TTL = 30.0
#: Seconds for which an id without a row is believed to have none: garbage costs one query, not one each time.
UNKNOWN_TTL = 5.0
#: Keys remembered at once.
REMEMBERED = 4096
#: Look-ups a second, and at a stretch, of keys that are not remembered: each is a query, and anyone can make up ids.
LOOK_UPS, LOOK_UPS_BURST = 50, 200

_TOKEN = re.compile(r"tl_([0-9a-f]{32})_([0-9a-f]{64})", re.ASCII)


class Unauthenticated(Exception):
    """No key, or none that is good. The message may be told to the caller: it says nothing about other keys."""


class TooManyUnknown(Exception):
    """Keys that nobody knows are asked for so fast that this one is not looked up now. `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("Too many unknown API keys are being tried. Come again in a moment.")
        self.wait = wait


class Forbidden(Exception):
    """A good key without the scope, whose name is the message."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was checked: its id, what it is for, the client it acts for, and its scopes."""

    id: UUID
    name: str
    client: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """Who changes something by this key, as the audit names it."""
        return f"key:{self.name}"


class Keys(Protocol):
    """What the store must answer here."""

    async def api_key(self, id: UUID) -> Mapping[str, Any] | None:
        """The row (id, name, client_id, scopes, hash, revoked_at, expires_at) of a key."""
        ...


def mint() -> tuple[UUID, str, bytes]:
    """A new key: its id, the token to hand out once, and the hash to store."""
    id, secret = uuid4(), secrets.token_hex(32)
    return id, f"tl_{id.hex}_{secret}", fingerprint(secret)


def fingerprint(secret: str) -> bytes:
    """What is stored of a secret: 32 bytes."""
    return sha256(secret.encode()).digest()


def unknown_scopes(scopes: Sequence[str]) -> list[str]:
    """Those that do not exist."""
    return [scope for scope in scopes if scope not in SCOPES]


def parts_of(token: str) -> tuple[UUID, str] | None:
    """A key's id and secret; None where it cannot be a key."""
    match = _TOKEN.fullmatch(token)
    return (UUID(match[1]), match[2]) if match else None


def bearer(authorization: str | None) -> str:
    """The token of an `Authorization` header (RFC 6750 section 2.1). Raises Unauthenticated."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("An API key is needed: Authorization: Bearer tl_…")
    return token.strip()


class Access:
    """Checks keys, and remembers their rows for at most `ttl` seconds. `now` is a monotonic clock in seconds."""

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
        #: When each key was last used since this was last asked for (`take_used`).
        self._used: dict[UUID, datetime] = {}
        self._rows = TtlCache(keys.api_key, ttl, remembered, now, nothing_ttl=nothing_ttl)

    @property
    def remembered(self) -> int:
        """How many keys are remembered now."""
        return len(self._rows)

    def take_used(self) -> dict[UUID, datetime]:
        """When keys were last used since the last call, to be noted in the store."""
        used, self._used = self._used, {}
        return used

    async def check(self, authorization: str | None, scope: str | None, *, address: str = "") -> Key:
        """The key of an `Authorization` header, which must have `scope` (None: any key will do).

        `address` is the caller's: what it may try of unknown keys is counted for it alone.
        Raises Unauthenticated, Forbidden, TooManyUnknown, or what the store raises while it is away.
        """
        match = _TOKEN.fullmatch(bearer(authorization))
        row = await self._row(UUID(match[1]), address) if match else None
        # Compared even where there is no row, so that time does not tell which ids exist.
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
        # A key that was good is looked up whatever others try meanwhile.
        if self._rows.last(id) is None and not (taken := self._look_ups.take(address)).passes:
            raise TooManyUnknown(taken.wait)
        return await self._rows.get(id)
