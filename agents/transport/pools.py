"""HTTP connections to one origin. They go by the dialer, and one that the server has closed is not used again.

The connections are httpcore's. Its pool is not used, since it looks at all connections at each call: with 64 of them that
took more than 4 ms of processor time a call, where the call itself takes 0.5 ms. Here the one that was used last is taken; of HTTP/2 there is one, which
all share.

That an idle connection was closed is seen when it is taken: by then FIN has arrived and nothing was written, so that a new
one can be opened without a doubt.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpcore

from agents.transport.addresses import Dialer
from agents.transport.unanswered import NoAnswer

#: Seconds that an idle connection is kept: less than the five after which many servers close theirs.
KEPT = 4.0
#: What was closed at the other end: also where something unread came before it.
ENDED = getattr(select, "POLLRDHUP", select.POLLIN) | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Backend(httpcore.AnyIOBackend):
    """The network of one connection: goes by the dialer, and remembers the socket."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._socket: Any = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            try:
                return await super(Backend, self).connect_tcp(address, port)
            except httpcore.ConnectError as error:
                raise ConnectionError(str(error)) from error

        stream = await self._dialer.reach(host, port, connect)
        self._socket = stream.get_extra_info("socket")
        return stream

    @property
    def ended(self) -> bool:
        """Whether the other end has closed."""
        if self._socket is None or self._socket.fileno() < 0:
            return self._socket is not None
        poll = select.poll()
        poll.register(self._socket.fileno(), ENDED)
        return bool(poll.poll(0))


class Connection(httpcore.AsyncHTTPConnection):
    """One connection, which learns as it connects whether it speaks HTTP/2 (`multiplexed`)."""

    def __init__(self, origin: httpcore.Origin, dialer: Dialer, tls: ssl.SSLContext, http2: bool) -> None:
        self._backend = Backend(dialer)
        super().__init__(origin, tls, KEPT, http2=http2, network_backend=self._backend)
        self.multiplexed: bool | None = None
        self.active = 0

    def learn(self, *, multiplexed: bool) -> None:
        """What the server chose."""
        self.multiplexed = multiplexed

    def has_expired(self) -> bool:
        """Whether it is idle and of no more use. Of HTTP/2 httpcore does not look whether the server closed it."""
        return super().has_expired() or (self.multiplexed is True and self.is_idle() and self._backend.ended)


class Pool:
    """The connections to one origin, for so many calls at a time."""

    def __init__(self, origin: httpcore.Origin, dialer: Dialer, tls: ssl.SSLContext, at_once: int) -> None:
        self._origin, self._dialer, self._tls = origin, dialer, tls
        self._room = asyncio.Semaphore(at_once)
        self._closed = False
        #: Of HTTP/2, or not connected yet, so that it may come to speak it.
        self._shared: Connection | None = None
        self._idle: list[Connection] = []
        self._multiplexed = origin.scheme == b"https"
        self._active = 0

    @asynccontextmanager
    async def room(self, seconds: float) -> AsyncIterator[None]:
        """A place among the calls at a time, waited for so long. Raises NoAnswer."""
        self._active += 1
        try:
            try:
                async with asyncio.timeout(seconds):
                    await self._room.acquire()
            except TimeoutError as error:
                host = self._origin.host.decode("ascii", "replace")
                raise NoAnswer(f"{host}: too many calls are under way", kind="pool") from error
            try:
                yield
            finally:
                self._room.release()
        finally:
            self._active -= 1

    async def take(self) -> Connection:
        """A connection to use now, maybe one that is not connected yet. Give it back with `release`."""
        taken = await self._shareable() if self._multiplexed else await self._freed()
        taken.active += 1
        return taken

    async def release(self, connection: Connection, *, whole: bool) -> None:
        """After a call. `whole`: its answer was read to the end. What was left in the middle of HTTP/2 still has its
        stream, on a connection that may be dead: who comes next gets a new one, and this one goes with its last call."""
        connection.active -= 1
        if connection.multiplexed is not None:
            self._multiplexed = connection.multiplexed
        if not whole or not connection.multiplexed:
            self._unshare(connection)
        if connection.active or connection is self._shared:
            return
        if connection.is_idle() and not connection.is_closed() and not connection.multiplexed and not self._closed:
            self._idle.append(connection)
        else:
            await connection.aclose()

    async def sweep(self) -> bool:
        """Close what was idle for too long. Whether nothing is left."""
        expired = [each for each in self._idle if each.has_expired()]
        self._idle = [each for each in self._idle if each not in expired]
        if (shared := self._shared) is not None and not shared.active and shared.has_expired():
            self._shared = None
            expired.append(shared)
        for each in expired:
            await each.aclose()
        return not self._idle and self._shared is None and not self._active

    async def close(self) -> None:
        """Close what is idle now, and what is in use when its last call ends."""
        self._closed = True
        idle, self._idle = self._idle, []
        if self._shared is not None and not self._shared.active:
            idle.append(self._shared)
        self._shared = None
        for each in idle:
            await each.aclose()

    async def _shareable(self) -> Connection:
        shared = self._shared
        if shared is None or not shared.is_available() or shared.has_expired():
            self._shared = self._made()
            if shared is not None and not shared.active:
                await shared.aclose()
            return self._shared
        return shared

    async def _freed(self) -> Connection:
        while self._idle:
            freed = self._idle.pop()
            if not freed.has_expired():
                return freed
            await freed.aclose()
        return self._made()

    def _made(self) -> Connection:
        return Connection(self._origin, self._dialer, self._tls, self._multiplexed)

    def _unshare(self, connection: Connection) -> None:
        if self._shared is connection:
            self._shared = None
