"""Shared HTTP/2 connections: one for each origin.

A connection that the server closed while it was idle is not used again: the end of the stream has arrived by the time
the connection is taken, and nothing was written yet.
"""

import asyncio
import select
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import httpcore

from agents.transport.addresses import Dialer
from agents.transport.connector import ENDED
from agents.transport.http1 import KEPT
from agents.transport.unanswered import NoAnswer


class _Backend(httpcore.AnyIOBackend):
    """Opens the socket of one connection by the dialer, and keeps it to see whether the server has closed."""

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
                return await super(_Backend, self).connect_tcp(address, port)
            except httpcore.ConnectError as error:
                raise ConnectionError(str(error)) from error

        stream = await self._dialer.reach(host, port, connect)
        self._socket = stream.get_extra_info("socket")
        return stream

    @property
    def ended(self) -> bool:
        """Whether the server has closed the connection."""
        if self._socket is None or self._socket.fileno() < 0:
            return self._socket is not None
        poll = select.poll()
        poll.register(self._socket.fileno(), ENDED)
        return bool(poll.poll(0))


class Connection(httpcore.AsyncHTTPConnection):
    """One connection and the number of its calls in progress."""

    def __init__(self, origin: httpcore.Origin, dialer: Dialer, tls: ssl.SSLContext) -> None:
        self._backend = _Backend(dialer)
        super().__init__(origin, tls, KEPT, http2=True, network_backend=self._backend)
        self.active = 0

    @property
    def usable(self) -> bool:
        """Whether another call can use it. httpcore does not notice that the server closed an idle HTTP/2
        connection."""
        return self.is_available() and not self.has_expired() and not (self.is_idle() and self._backend.ended)


class Origin:
    """The shared connection of one origin, for at most `connections` calls at a time."""

    def __init__(self, origin: httpcore.Origin, dialer: Dialer, tls: ssl.SSLContext, connections: int) -> None:
        self._origin, self._dialer, self._tls = origin, dialer, tls
        self._slots = asyncio.Semaphore(connections)
        self._shared: Connection | None = None
        self._active = 0

    @asynccontextmanager
    async def slot(self, seconds: float) -> AsyncIterator[None]:
        """Hold one of the slots, waiting at most `seconds` for it. Raises NoAnswer."""
        self._active += 1
        try:
            try:
                async with asyncio.timeout(seconds):
                    await self._slots.acquire()
            except TimeoutError as error:
                host = self._origin.host.decode("ascii", "replace")
                raise NoAnswer(f"{host}: too many calls are in progress", kind="pool") from error
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._active -= 1

    async def take(self) -> Connection:
        """Return a connection, which may not be connected yet. Give it back with `release`."""
        old = self._shared
        if old is None or not old.usable:
            self._shared = Connection(self._origin, self._dialer, self._tls)
            if old is not None and not old.active:
                await old.aclose()
        taken = cast(Connection, self._shared)
        taken.active += 1
        return taken

    async def release(self, connection: Connection, *, whole: bool) -> None:
        """End a call. If its answer was not read to the end (`whole`), the connection still has the open stream and may
        be dead: the next call gets a new connection, and this one is closed with its last call."""
        connection.active -= 1
        if not whole and self._shared is connection:
            self._shared = None
        if not connection.active and connection is not self._shared:
            await connection.aclose()

    async def sweep(self) -> bool:
        """Close the connection if it was idle for too long. Return whether the origin is unused."""
        shared = self._shared
        if shared is not None and not shared.active and not shared.usable:
            self._shared = None
            await shared.aclose()
        return self._shared is None and not self._active

    async def close(self) -> None:
        """Close the connection: now if it is idle, else when its last call ends."""
        shared, self._shared = self._shared, None
        if shared is not None and not shared.active:
            await shared.aclose()
