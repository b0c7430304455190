"""The only place that talks to providers and to subscribers: it carries what an adapter built, and brings the answer.

Retry, rate and meaning are others': it makes one call, within bounds of time and size, and tells of a call without an
answer whether it may have arrived.
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
from agents.transport.unanswered import AddressRefused, NoAnswer, untold
from webhooks.counters import SECONDS, Histogram

__all__ = ["AddressRefused", "NoAnswer", "Transport"]


log = structlog.get_logger(__name__)


class _Way:
    """The three kinds of call by one dialer. Connections of who is trusted and who is not are never shared."""

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
    """Carries calls of HTTP, SMTP and MQTT; for one event loop.

    `timeout`: seconds for a whole call; `connect_timeout`: for each of resolving, connecting, TLS and the wait for a free
    connection; `connections`: calls to one origin at a time; `allowed`: networks that calls which are not trusted may go to
    beside public addresses; `max_answer`: bytes of a body that are read.
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
        #: Calls that were answered, by kind (`HttpCall`, `Mail`, `Publish`); those that were not, by kind and why.
        self.answered: Counter[str] = Counter()
        self.unanswered: Counter[tuple[str, str]] = Counter()
        self.seconds = Histogram(SECONDS)

    async def carry(self, outgoing: Outgoing, values: Values, *, trusted: bool) -> Response:
        """The provider's answer. `values`: the account's settings, which name the server of a mail or a publication.
        `trusted`: the operator configured the address, so that it may be a private one; a recipient's never is. Raises
        NoAnswer; of an address that the operator did not configure it tells nothing but that."""
        kind, began = type(outgoing).__name__, time.monotonic()
        foreign = isinstance(outgoing, HttpCall) and outgoing.foreign
        trusted = trusted and not foreign
        try:
            response = await self._ways[trusted].carry(outgoing, values)
        except NoAnswer as error:
            self.unanswered[kind, error.kind] += 1
            if trusted:
                raise
            # Without the address: it may be a person's.
            log.debug("an address that was given failed", call=kind, kind=error.kind, foreign=foreign)
            raise untold(error, foreign=foreign) from None
        finally:
            self.seconds.observe(time.monotonic() - began)
        self.answered[kind] += 1
        return response

    async def close(self) -> None:
        """Close all connections; wait for calls under way before."""
        for way in self._ways.values():
            await way.close()
