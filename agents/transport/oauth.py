"""Gets the access tokens that sending needs, and caches them until shortly before they expire (OAuth 2, RFC 6749)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Protocol

import orjson

from adapters.contract import Adapter, Outgoing, Response, Token, Values, secrets_of
from agents.transport.unanswered import NoAnswer

#: The fraction of a token's lifetime at its end in which it is not used, and the most seconds of it.
SPARED, SPARED_AT_MOST = 0.1, 60.0
#: Most cached tokens.
KEPT = 4096


class Carry(Protocol):
    """The method `Transport.carry`."""

    async def __call__(self, outgoing: Outgoing, values: Values, *, trusted: bool) -> Response: ...


@dataclass(slots=True)
class _Token:
    text: str
    until: datetime


def _now() -> datetime:
    return datetime.now(UTC)


class Tokens:
    """The access tokens of this process, in memory only."""

    def __init__(self, carry: Carry, now: Callable[[], datetime] = _now) -> None:
        self._carry, self._now = carry, now
        self._tokens: dict[bytes, _Token] = {}
        self._buying: dict[bytes, asyncio.Task[_Token]] = {}

    async def prepared(self, adapter: Adapter, values: Values, *, trusted: bool = False) -> Values:
        """Return the values, with an `access_token` if the adapter needs one (`Send.token`) and they have none.
        Concurrent calls for one account request it once.

        `trusted`: as for `Transport.carry`. Raises NoAnswer (nothing of the message was sent), Unsendable if the
        account's settings cannot be used.
        """
        how = adapter.send.token if adapter.send is not None else None
        if how is None or secrets_of(values, "access_token"):
            return values
        key = sha256(orjson.dumps([adapter.name, trusted, sorted((k, list(v)) for k, v in values.items())])).digest()
        token = self._tokens.get(key)
        if token is None or token.until <= self._now():
            task = self._buying.get(key)
            if task is None:
                task = self._buying[key] = asyncio.create_task(self._buy(key, how, values, trusted))
                task.add_done_callback(lambda done: self._bought(key, done))
            # Shielded: a caller that is cancelled must not cancel the request for the others.
            token = await asyncio.shield(task)
        return {**values, "access_token": (token.text,)}

    async def close(self) -> None:
        """Cancel the requests in progress."""
        for task in (tasks := list(self._buying.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _buy(self, key: bytes, how: Token, values: Values, trusted: bool) -> _Token:
        asked = self._now()
        try:
            response = await self._carry(how.build(values, asked), values, trusted=trusted)
        except NoAnswer as error:
            raise NoAnswer(f"no access token: {error}", False, kind="token") from error
        bought = how.read(response)
        if bought is None:
            raise NoAnswer(f"no access token: the answer was {response.status}", False, kind="token")
        text, seconds = bought
        token = _Token(text, asked + timedelta(seconds=seconds - min(seconds * SPARED, SPARED_AT_MOST)))
        if len(self._tokens) >= KEPT:
            self._tokens = {k: each for k, each in self._tokens.items() if each.until > asked}
            while len(self._tokens) >= KEPT:
                del self._tokens[next(iter(self._tokens))]
        self._tokens[key] = token
        return token

    def _bought(self, key: bytes, task: asyncio.Task[_Token]) -> None:
        del self._buying[key]
        with suppress(asyncio.CancelledError):
            task.exception()  # retrieved, as all who waited for it may be gone
