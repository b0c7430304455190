"""HTTP connections to one origin, by httpcore: they go by the dialer, and one that the server closed is not used again.

httpcore sees by itself that an idle connection of HTTP/1.1 was closed, when it looks for one to use. Here it is seen of
HTTP/2 as well, and once more just before the request is written: by then FIN has arrived and nothing was written, so that
another connection can be taken without a doubt.
"""

import select
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from agents.addresses import Dialer

#: Seconds that an idle connection is kept: less than the five after which many servers close theirs.
KEPT = 4.0
#: What was closed at the other end: also where something unread came before it.
_ENDED = getattr(select, "POLLRDHUP", select.POLLIN) | select.POLLHUP | select.POLLERR | select.POLLNVAL


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
        poll.register(self._socket.fileno(), _ENDED)
        return bool(poll.poll(0))


class Connection(httpcore.AsyncHTTPConnection):
    """Knows that it was closed while it was idle, of HTTP/2 as well, and looks once more just before it is used."""

    def __init__(self, pool: "Pool", origin: httpcore.Origin, backend: Backend, tls: ssl.SSLContext) -> None:
        super().__init__(origin, tls, KEPT, http2=pool.multiplexed, network_backend=backend)
        self._pool, self._backend, self._answered = pool, backend, False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        if self.is_idle() and self._backend.ended:
            raise httpcore.ConnectionNotAvailable  # the pool takes another
        response = await super().handle_async_request(request)
        if response.extensions["http_version"] != b"HTTP/2":
            self._pool.multiplexed = False
        self._answered = True
        return response

    def is_available(self) -> bool:
        # httpcore has requests wait for a connection that may turn out to speak HTTP/2; once it is known that they do
        # not here, that would open one after the other.
        return super().is_available() and (self._answered or self._pool.multiplexed)

    def has_expired(self) -> bool:
        return super().has_expired() or (self.is_idle() and self._backend.ended)


class Pool(httpcore.AsyncConnectionPool):
    """The connections to one origin."""

    def __init__(self, dialer: Dialer, tls: ssl.SSLContext, connections: int, multiplexed: bool) -> None:
        super().__init__(max_connections=connections, keepalive_expiry=KEPT)
        self._dialer, self._tls = dialer, tls
        #: Whether its connections may speak HTTP/2.
        self.multiplexed = multiplexed
        self.active, self.used = 0, 0.0

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        return Connection(self, origin, Backend(self._dialer), self._tls)
