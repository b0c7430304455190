"""Sessions of people: found by the secret in their cookie, given another secret at intervals, and ended."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol
from uuid import UUID, uuid4

from app.clients.ttl_cache import TtlCache
from app.http.access import LOOK_UPS, LOOK_UPS_BURST, Key, TooManyUnknown, Unauthenticated, held
from app.http.issued import Issued
from app.http.rates import Rates
from app.login.attempts import new_secret
from app.login.cookies import cookie
from app.settings.login import Login
from sql.sessions import Lifetimes
from webhooks.callers import party_of

#: The cookie of a session.
COOKIE = "__Host-threadline"
#: Seconds for which a session's row is cached, and so for which one that another process ended may still work.
TTL = 1.0
#: Seconds for which the secret before is good, for requests that were under way when it was replaced.
OVERLAP = 30.0

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ENDED = "This session has ended. Log in again: /login."


class Store(Protocol):
    """The part of the store that is used here."""

    async def start_session(
        self, session: dict[str, Any], hash: bytes, before: bytes | None, lifetimes: Lifetimes
    ) -> None: ...

    async def session_of(self, hash: bytes, lifetimes: Lifetimes) -> Mapping[str, Any] | None: ...

    async def session_alive(self, id: UUID, lifetimes: Lifetimes) -> bool: ...

    async def rotate_session(self, id: UUID, hash: bytes, new: bytes, lifetimes: Lifetimes) -> bool: ...

    async def end_session(
        self, why: str, *, id: UUID | None = None, hash: bytes | None = None, actor: str | None = None
    ) -> str | None: ...

    async def sessions_of_client(
        self, client_id: str, holder: str | None, after: tuple[datetime, UUID] | None, limit: int, lifetimes: Lifetimes
    ) -> list[dict[str, Any]]: ...

    async def end_session_of_client(self, client_id: str, id: UUID) -> bool: ...

    async def end_sessions_of(
        self, issuer: str, said: datetime, actor: str, *, subject: str | None, sid: str | None
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is in force: the credential that it is, by which issuer, when it began, and the cookie that replaces the browser's,
    if that is due."""

    key: Key
    issuer: str
    since: datetime
    cookie: str | None


class Sessions:
    """The sessions of a store. `now` is a monotonic clock in seconds."""

    def __init__(self, store: Store, settings: Login, *, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._lifetimes = Lifetimes(
            *(timedelta(seconds=each) for each in (settings.idle, settings.absolute, settings.rotate, OVERLAP))
        )
        self._look_ups = Rates(LOOK_UPS, LOOK_UPS_BURST, now=now)
        self._rows = TtlCache(self._found, TTL, now=now)

    async def start(self, issued: Issued, sid: str | None, before: str | None) -> str:
        """Start a session of a person who logged in, in place of the one of the cookie `before`; return the cookie to set."""
        secret = new_secret()
        session = {
            "id": uuid4(),
            "issuer": issued.issuer,
            "subject": issued.subject,
            "sid": sid,
            "holder": issued.holder,
            "clients": list(issued.clients),
            "scopes": sorted(issued.scopes),
        }
        await self._store.start_session(session, _hash(secret), _hash(before) if before else None, self._lifetimes)
        if before:
            self._rows.forget(_hash(before))
        return cookie(COOKIE, secret)

    async def check(self, secret: str, *, address: str = "") -> Session:
        """Return the session of a cookie's secret. `address` is the caller's, by which look-ups of unknown secrets are limited.

        A secret that was replaced a while ago is somebody else's copy, or the browser's of before a copy was used: its session ends.
        Raises Unauthenticated, TooManyUnknown, or what the store raises while it is unreachable.
        """
        if not _SECRET.fullmatch(secret):
            raise Unauthenticated(_ENDED)
        hash = _hash(secret)
        if self._rows.last(hash) is None and not (taken := self._look_ups.take(party_of(address))).passes:
            raise TooManyUnknown(taken.wait)
        row = await self._rows.get(hash)
        if row is None or not row["alive"]:
            raise Unauthenticated(_ENDED)
        if row["former"] and not row["still_good"]:
            await self._store.end_session("copied", id=row["id"], actor="threadline")
            self._rows.clear()
            raise Unauthenticated(_ENDED)
        key = held(row["id"], row["holder"], row["clients"], frozenset(row["scopes"]), "person")
        replaced = await self._rotated(row["id"], hash) if row["due"] and not row["former"] else None
        return Session(key, row["issuer"], row["created_at"], replaced)

    async def alive(self, id: UUID) -> bool:
        """Return whether a session has not ended."""
        return await self._store.session_alive(id, self._lifetimes)

    async def end(self, secret: str) -> str | None:
        """End the session of a cookie's secret, as its person asks; return its issuer, None if there is no such session."""
        if not _SECRET.fullmatch(secret):
            return None
        issuer = await self._store.end_session("logout", hash=_hash(secret))
        self._rows.clear()
        return issuer

    async def of_client(
        self, client: str, holder: str | None, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return the sessions of people who may act for a client, as `EventStore.sessions_of_client` does."""
        return await self._store.sessions_of_client(client, holder, after, limit, self._lifetimes)

    async def end_of_client(self, client: str, id: UUID) -> bool:
        """End a session of somebody who may act for a client; return whether there was one. Another process may use it for `TTL` seconds
        more."""
        ended = await self._store.end_session_of_client(client, id)
        self._rows.clear()
        return ended

    async def end_all(self, issuer: str, said: datetime, actor: str, *, subject: str | None, sid: str | None) -> int:
        """End the sessions that an issuer says are over; return how many. Another process may use them for `TTL` seconds more."""
        ended = await self._store.end_sessions_of(issuer, said, actor, subject=subject, sid=sid)
        self._rows.clear()
        return ended

    async def _rotated(self, id: UUID, hash: bytes) -> str | None:
        """Give a session another secret; return its cookie, None where another request did so."""
        secret = new_secret()
        mine = await self._store.rotate_session(id, hash, _hash(secret), self._lifetimes)
        self._rows.forget(hash)
        return cookie(COOKIE, secret) if mine else None

    async def _found(self, hash: bytes) -> Mapping[str, Any] | None:
        return await self._store.session_of(hash, self._lifetimes)


def _hash(secret: str) -> bytes:
    # Of 256 random bits one round suffices, as for API keys (`app.http.tokens`). Looking a hash up tells nothing of the secret by its
    # time.
    return sha256(secret.encode()).digest()
