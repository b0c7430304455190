"""HTTP: connections that are kept and shared, HTTP/2 where the server offers it, and what each failure says of the request.

A pool for each origin, so that one slow server cannot take the connections of the others. Whether a request
may have arrived is told by httpcore's trace: before `send_request_headers.started` nothing of it was written, after it
something may have been. A connection that the server closed while it was idle is not used again (`agents.transport.pools`). What
remains is a FIN that crosses the request on its way: over HTTP/1.1 nobody can tell that from a server that took it and
died (RFC 9112 section 9.3.1), so it may have arrived. Over HTTP/2 the server says what it took (RFC 9113 sections 6.8 and 8.7), and what it did not take is asked again.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpcore
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, StreamReset

from adapters.contract import HttpCall, Response
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.http1 import Http1
from agents.transport.pools import KEPT, Connection, Pool
from agents.transport.unanswered import NoAnswer, failure_words
from agents.transport.written import headers_of, read_headers, text_of, url_of

#: Origins remembered to speak no HTTP/2.
PLAIN = 4096


class _Sent:
    """How far one call came; httpcore tells it (the `trace` of a request)."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.connection: Connection | None = None
        self.started = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            fence.current().check(self.host, begun=False)
            self.started = True
        elif event.endswith("send_request_body.started"):
            fence.current().check(self.host, begun=True)
        elif event == "connection.start_tls.complete" and self.connection is not None:
            chosen = info["return_value"].get_extra_info("ssl_object").selected_alpn_protocol()
            self.connection.learn(multiplexed=chosen == "h2")

    def response(self) -> Response:
        return Response(self.status, self.headers, bytes(self.body))


class Calling:
    """Makes HTTP calls by one dialer. Redirects are not followed."""

    def __init__(
        self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int, max_answer: int
    ) -> None:
        self._dialer, self._timeout, self._connections, self._max = dialer, timeout, connections, max_answer
        self._phases = {"connect": connect_timeout, "read": timeout, "write": timeout}
        self._wait = connect_timeout
        self._tls = httpcore.default_ssl_context()
        self._http1 = Http1(
            dialer, self._tls, timeout=timeout, connect_timeout=connect_timeout, connections=connections
        )
        #: Origins of https that were seen to speak no HTTP/2.
        self._plain: set[tuple[bytes, bytes, int | None]] = set()
        self._pools: dict[tuple[bytes, bytes, int | None], Pool] = {}
        self._swept = 0.0

    async def carry(self, call: HttpCall) -> Response:
        """The answer, whatever its status; its body cut at `max_answer` bytes. Raises NoAnswer.

        An answer that breaks off counts where its status is 400 or more: it was not taken, and that was said.
        """
        url = url_of(call.url)
        headers = headers_of(call, url)
        if url.scheme == "http" or (url.raw_scheme, url.raw_host, url.port) in self._plain:
            return await self._http1.carry(call.method, text_of(url), headers, call.body, self._max)
        sent = _Sent(url.host)
        where = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        extensions = {"timeout": self._phases, "trace": sent}
        written = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        request = httpcore.Request(call.method, where, headers=written, content=call.body, extensions=extensions)
        await self._sweep()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._sent(request, sent)
        except NoAnswer:
            raise
        except Exception as error:
            if sent.status >= 400:
                return sent.response()
            late = isinstance(error, (TimeoutError, httpcore.TimeoutException))
            words = failure_words(error, started=sent.started)
            kind = "timeout" if late else "lost" if sent.started else "tls" if _untrusted(error) else "connect"
            raise NoAnswer(f"{url.host}: {words}", sent.started, kind=kind) from error

    async def close(self) -> None:
        """Close the connections; those of calls under way when they end."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.close()
        await self._http1.close()

    async def _sent(self, request: httpcore.Request, sent: _Sent) -> Response:
        """The answer, from whichever connection takes the request; again only where it is certain that none did."""
        where = request.url
        pool = self._pools.get(key := (where.scheme, where.host, where.port))
        if pool is None:
            pool = self._pools[key] = Pool(where.origin, self._dialer, self._tls, self._connections)
        refused = False
        async with pool.room(self._wait):
            while True:
                connection = sent.connection = await pool.take()
                whole = False
                try:
                    whole = await self._exchange(connection, request, sent)
                    return sent.response()
                except httpcore.ConnectionNotAvailable:  # closed before, or the server says that it did not take it
                    if sent.status:  # which an answer belies
                        raise
                    sent.started = False
                except httpcore.RemoteProtocolError as error:
                    if refused or sent.status or not _refused(error):
                        raise
                    refused, sent.started = True, False
                finally:
                    await pool.release(connection, whole=whole)
                    if connection.multiplexed is False and len(self._plain) < PLAIN:
                        self._plain.add(key)

    async def _exchange(self, connection: Connection, request: httpcore.Request, sent: _Sent) -> bool:
        """Fill in the answer. False where it was cut."""
        response = await connection.handle_async_request(request)
        sent.status, sent.headers = response.status, read_headers(response.headers)
        try:
            async with aclosing(cast(AsyncGenerator[bytes], response.aiter_stream())) as stream:
                async for chunk in stream:
                    sent.body += chunk
                    if len(sent.body) > self._max:
                        del sent.body[self._max :]
                        return False
        finally:
            await response.aclose()
        return True

    async def _sweep(self) -> None:
        """Close what nobody uses, every few seconds, when somebody comes."""
        if (now := time.monotonic()) - self._swept < KEPT:
            return
        self._swept = now
        for key, pool in list(self._pools.items()):
            if await pool.sweep() and self._pools.get(key) is pool:
                del self._pools[key]


def _untrusted(error: Exception) -> bool:
    """Whether it is the server's certificate that is not valid, or not trusted."""
    return isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error)


def _refused(error: httpcore.RemoteProtocolError) -> bool:
    """Whether an HTTP/2 server says that it did nothing with the request: REFUSED_STREAM (RFC 9113 section 8.7), or a
    GOAWAY that took no stream at all (section 6.8)."""
    said = error.args[0] if error.args else None
    if isinstance(said, StreamReset):
        return said.error_code == ErrorCodes.REFUSED_STREAM
    return isinstance(said, ConnectionTerminated) and said.last_stream_id == 0
