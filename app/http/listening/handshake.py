"""A connection before its TLS handshake is complete, and what makes it: counted and limited like any other connection.

The event loop's own TLS listener would show a connection only after its handshake: until then it would count for nobody, for a
minute. So the listener takes plain connections, and each gets the event loop's TLS here.
"""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any

import uvloop
from uvloop import loop as uvloop_loop

from app.http.listening.connection import Connection
from app.http.listening.connections import Connections
from webhooks.callers import LOCAL, party_of

#: Seconds that a caller has to answer when a connection is being closed.
SHUTDOWN = 5.0
#: OpenSSL's reason for a caller without the certificate that is required.
NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"


class Front:
    """Makes the protocol of each new TLS connection. `context` is used for connections from now on: a new one leaves those that
    are open alone."""

    def __init__(self, connections: Connections, context: ssl.SSLContext) -> None:
        self.connections, self.context = connections, context
        self.pending: set[Handshake] = set()

    def protocol(self, make: Callable[[], Connection]) -> "Handshake":
        """Return the protocol of a plain connection, which becomes what `make` returns after the handshake."""
        return Handshake(self, make)

    def close(self) -> None:
        """End the handshakes in progress."""
        for each in list(self.pending):
            each.drop()


class Handshake(asyncio.Protocol):
    """A connection whose handshake is not complete. It is a member of the table of connections."""

    #: It waits for its caller, and holds no body.
    waits = True
    held = 0

    def __init__(self, front: Front, make: Callable[[], Connection]) -> None:
        self._front, self._table, self._make = front, front.connections, make
        self.address = self.caller = LOCAL
        self.turn = 0
        self._since = self._table.now
        self._bounds = self._table.bounds

    # Called by asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the plain connection, and put TLS in the place of this protocol."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.address = self.caller = party_of(peer[0])
        self._table.turn = self.turn = self._table.turn + 1
        self._front.pending.add(self)
        self._table.add(self)
        if transport.is_closing():  # there was no room
            self._front.pending.discard(self)
            return
        waiter = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(self._done)
        # `loop.start_tls` would do it a moment later, when data may have come already.
        tls = self._tls(waiter)
        transport.set_protocol(tls)
        tls.connection_made(transport)

    # Called by the table of connections

    def look(self, now: float) -> None:
        """End a handshake that takes longer than a request's head may."""
        if now - self._since > self._bounds.head_timeout:
            self._table.note("slow handshake")
            self.drop()

    def drop(self) -> None:
        """Close at once."""
        self._leave()
        self._transport.abort()

    def refuse(self, _: int) -> None:
        """Close at once: nothing can be answered before TLS is there."""
        self.drop()

    # Called at the handshake's end

    def succeed(self, transport: asyncio.Transport) -> None:
        """Put HTTP on the encrypted connection."""
        self._leave()
        connection = self._make()
        transport.set_protocol(connection)
        connection.connection_made(transport)

    def _done(self, waiter: "asyncio.Future[None]") -> None:
        """Count a handshake that failed. Scanners and plain HTTP are not logged, since anybody can cause any number of them."""
        if self not in self._front.pending:  # it succeeded, or was dropped
            waiter.exception()
            return
        self._leave()
        error = waiter.exception()
        if isinstance(error, ssl.SSLCertVerificationError):
            self._table.note("client certificate", why=error.verify_message)
        elif isinstance(error, ssl.SSLError) and error.reason == NO_CERTIFICATE:
            self._table.note("client certificate", why="none was presented")
        else:
            self._table.ended["handshake"] += 1

    def _leave(self) -> None:
        self._front.pending.discard(self)
        self._table.remove(self)

    def _tls(self, waiter: "asyncio.Future[None]") -> Any:
        loop = asyncio.get_running_loop()
        kind: Any = uvloop_loop.SSLProtocol if isinstance(loop, uvloop.Loop) else SSLProtocol  # type: ignore[attr-defined]
        return kind(
            loop,
            _Then(self),
            self._front.context,
            waiter,
            server_side=True,
            # Never the first to end it: `look` does, and counts it.
            ssl_handshake_timeout=2 * self._bounds.head_timeout + 1,
            ssl_shutdown_timeout=SHUTDOWN,
        )


class _Then(asyncio.Protocol):
    """What TLS tells that the handshake is complete, before it gives any data."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin HTTP, whose protocol takes the place of this one."""
        self._handshake.succeed(transport)
