"""Authenticates API keys and tokens: who calls, for which client, with which scopes. `app.http.tokens` has the form of a key."""

import hmac
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Literal, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from app.clients.ttl_cache import TtlCache
from app.http.issued import Checks, Invalid
from app.http.rates import Rates
from app.http.scopes import ALL_CLIENTS, granted
from app.http.tokens import Kind, fault_of, fingerprint, id_of
from webhooks.callers import compared, party_of

Network = IPv4Network | IPv6Network

#: Seconds for which a key's row is cached, and so for which a revoked key may still work. The documented limit is a minute.
TTL = 30.0
#: Seconds for which the absence of a row is cached, so that an invalid key does not cost a query at each request.
UNKNOWN_TTL = 5.0
#: Cached keys.
REMEMBERED = 4096
#: Look-ups per second, and their burst, of keys that are not cached: each is a query, and callers can invent ids.
LOOK_UPS, LOOK_UPS_BURST = 50, 200


class Unauthenticated(Exception):
    """There is no valid key. The message may go to the caller, since it reveals nothing about other keys."""


class TooManyUnknown(Exception):
    """Too many unknown keys were looked up, so this one is not. `wait` is in seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("Too many unknown credentials are being tried. Retry later.")
        self.wait = wait


class Forbidden(Exception):
    """The key is valid but lacks a scope, whose name is the message."""


class NotAllowed(Exception):
    """The credential is valid, but not from the caller's address, or it acts for no client. The message may go to the caller."""


@dataclass(frozen=True, slots=True)
class Key:
    """A verified credential: its id, its name, its client and its scopes."""

    id: UUID
    name: str
    client: str
    scopes: frozenset[str]
    #: Whether it is an API key, a token of an issuer, or the session of a person: the latter two have their holder as their name.
    kind: Literal["key", "token", "person"] = "key"
    #: The clients that it may act for, where there are several; `client` is then the one that the request names, or empty.
    clients: tuple[str, ...] = ()
    #: Who has seen the API key, as far as that is known (`sql.parties`).
    makers: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        """Whether it may act for several clients, of which each request names one."""
        return self.client == ALL_CLIENTS or bool(self.clients)

    @property
    def actor(self) -> str:
        """The name of this key in the audit log."""
        return f"{self.kind}:{self.name}"

    @property
    def audited_id(self) -> UUID | None:
        """The id of the API key, for the audit; None for what is named by its holder."""
        return self.id if self.kind == "key" else None

    @property
    def basis(self) -> str:
        """Who it is, as what a consent rests on."""
        return f"key {self.id}" if self.kind == "key" else self.actor


class Keys(Protocol):
    """The part of the store that is used here."""

    async def api_key(self, id: UUID) -> Mapping[str, Any] | None:
        """Return the row (id, name, client_id, scopes, roles, networks, makers, hash, revoked_at, expires_at) of a key, or None."""
        ...


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
        kind: Kind = "live",
        tokens: Checks | None = None,
        ttl: float = TTL,
        remembered: int = REMEMBERED,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        #: The kind of keys that are valid here: those of the other kind are refused.
        self.kind: Kind = kind
        self._tokens = tokens
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

        `address` is the caller's, by which look-ups of unknown keys are limited, and which must be in the key's networks, if it
        has any. Raises Unauthenticated, Forbidden, NotAllowed, TooManyUnknown, or what the store raises while it is unreachable.
        """
        token = bearer(authorization)
        if self._tokens is not None and not token.startswith("tl_"):
            return scoped(await self._issued(self._tokens, token), scope)
        if (fault := fault_of(token, self.kind)) is not None:
            raise Unauthenticated(fault)
        row = await self._row(id_of(token), address)
        # Compare even without a row, so that the response time does not reveal which ids exist.
        same = hmac.compare_digest(fingerprint(token), bytes(row["hash"]) if row else bytes(32))
        if row is None or not same or row["revoked_at"] is not None:
            raise Unauthenticated("This API key is not known, or was revoked.")
        now = datetime.now(UTC)
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise Unauthenticated(f"This API key expired at {row['expires_at']:%Y-%m-%dT%H:%M:%SZ}.")
        if row["networks"] and not _within(address, row["networks"]):
            raise NotAllowed("This API key may not be used from this address.")
        scopes, makers = granted(row["scopes"], row["roles"]), tuple(row["makers"])
        key = Key(row["id"], row["name"], row["client_id"], scopes, makers=makers)
        self._used[scoped(key, scope).id] = now
        return key

    async def _issued(self, tokens: Checks, token: str) -> Key:
        """Return the credential that a token of the issuer is. Raises Unauthenticated, NotAllowed, IssuerAway."""
        try:
            issued = await tokens.check(token)
        except Invalid as error:
            raise Unauthenticated(str(error)) from error
        if not issued.clients:
            raise NotAllowed("This token names no client, so it may see nothing.")
        id = uuid5(NAMESPACE_URL, f"{issued.issuer}\x1f{issued.subject}")
        return held(id, issued.holder, issued.clients, issued.scopes, "token")

    async def _row(self, id: UUID, address: str) -> Mapping[str, Any] | None:
        # A key that was valid before is looked up regardless of the limit.
        if self._rows.last(id) is None and not (taken := self._look_ups.take(party_of(address))).passes:
            raise TooManyUnknown(taken.wait)
        return await self._rows.get(id)


def held(
    id: UUID, holder: str, clients: Sequence[str], scopes: frozenset[str], kind: Literal["token", "person"]
) -> Key:
    """Return the credential of a holder who may act for these clients."""
    if len(clients) == 1:
        return Key(id, holder, clients[0], scopes, kind)
    return Key(id, holder, "", scopes, kind, tuple(clients))


def scoped(key: Key, scope: str | None) -> Key:
    """Return the credential. Raises Forbidden if it lacks the scope."""
    if scope is not None and scope not in key.scopes:
        raise Forbidden(scope)
    return key


def _within(address: str, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks; no address, and a socket's path, are in none."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return any((mapped or ip) in compared(network) for network in networks)
