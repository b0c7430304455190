"""Makes calls to providers and to clients' callbacks: one request as an adapter built it, and its response.

No other package opens such connections. A call is bounded in time and size; if it gets no answer, the error reports
whether it may have arrived. Retries, rate limits and the meaning of answers are the caller's.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import structlog

from adapters.contract import HttpCall, Mail, Outgoing, Response, Values
from agents.transport.addresses import Dialer, Network
from agents.transport.calling import Calling
from agents.transport.mailing import Mailing
from agents.transport.publishing import Publishing
from agents.transport.unanswered import AddressRefused, NoAnswer, redacted
from webhooks.counters import SECONDS, Histogram

__all__ = ["AddressRefused", "NoAnswer", "Transport"]


log = structlog.get_logger(__name__)


class _Way:
    """The three kinds of call by one dialer. Trusted and untrusted calls never share connections."""

    def __init__(
        self, dialer: Dialer, timeout: float, connect_timeout: float, connections: int, max_answer: int, trusted: bool
    ) -> None:
        self.dialer = dialer
        self.http = Calling(
            dialer,
            timeout=timeout,
            connect_timeout=connect_timeout,
            connections=connections,
            max_answer=max_answer,
        )
        self.mail = Mailing(dialer, timeout=timeout, connect_timeout=connect_timeout)
        self.mqtt = Publishing(dialer, timeout=timeout, connect_timeout=connect_timeout, trusted=trusted)

    async def carry(self, outgoing: Outgoing, values: Values) -> Response:
        if isinstance(outgoing, HttpCall):
            return await self.http.carry(outgoing)
        if isinstance(outgoing, Mail):
            return await self.mail.carry(outgoing, values)
        return await self.mqtt.carry(outgoing, values)

    async def close(self) -> None:
        await asyncio.gather(self.http.close(), self.mqtt.close())
        self.mail.close()
        self.dialer.close()


class Transport:
    """Makes calls by HTTP, SMTP and MQTT, in one event loop.

    `timeout`: seconds for a whole call; `connect_timeout`: for each of resolving, connecting, TLS and the wait for a
    free connection; `connections`: most concurrent calls to one origin; `allowed`: private networks that untrusted
    calls may reach; `max_answer`: most bytes of a body that are read.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        connections: int = 64,
        allowed: Sequence[Network] = (),
        max_answer: int = 1 << 20,
    ) -> None:
        self._ways = {
            trusted: _Way(
                Dialer(None if trusted else allowed, connect_timeout),
                timeout,
                connect_timeout,
                connections,
                max_answer,
                trusted,
            )
            for trusted in (True, False)
        }
        #: Answered calls by kind (`HttpCall`, `Mail`, `Publish`), and unanswered ones by kind and cause.
        self.answered: Counter[str] = Counter()
        self.unanswered: Counter[tuple[str, str]] = Counter()
        self.seconds = Histogram(SECONDS)

    async def carry(self, outgoing: Outgoing, values: Values, *, trusted: bool) -> Response:
        """Make a call and return the response. `values`: the account's settings, which name the server of a mail or a
        publication. `trusted`: the operator configured the address, so it may be private; a recipient's address is
        never trusted. Raises NoAnswer; for an untrusted address its message gives no details."""
        kind, began = type(outgoing).__name__, time.monotonic()
        foreign = isinstance(outgoing, HttpCall) and outgoing.foreign
        trusted = trusted and not foreign
        try:
            response = await self._ways[trusted].carry(outgoing, values)
        except NoAnswer as error:
            self.unanswered[kind, error.kind] += 1
            if trusted:
                raise
            # Without the address: it may be personal data.
            log.debug("an untrusted address failed", call=kind, kind=error.kind, foreign=foreign)
            raise redacted(error, foreign=foreign) from None
        finally:
            self.seconds.observe(time.monotonic() - began)
        self.answered[kind] += 1
        return response

    async def close(self) -> None:
        """Close all connections. Wait for calls in progress before."""
        for way in self._ways.values():
            await way.close()
