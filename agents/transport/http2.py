"""HTTP/2 by httpcore: one connection for each origin, which all its calls share.

httpcore's trace reports whether a request may have arrived: before `send_request_headers.started` nothing of it was
written, after it something may have been. A server reports which requests it did not process (RFC 9113 sections 6.8 and
8.7); those are sent again.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import httpcore
import httpx
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, StreamReset

from adapters.contract import Response
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.http1 import KEPT
from agents.transport.origins import Connection, Origin
from agents.transport.tls import web_context
from agents.transport.unanswered import NoAnswer, failure_words
from agents.transport.written import read_headers
from webhooks.cancelled import pass_on


class _Progress:
    """How far one call has come; called by httpcore as the `trace` of the request."""

    def __init__(self, host: str) -> None:
        self.host = host
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
        elif event == "connection.start_tls.complete":
            stream: httpcore.AsyncNetworkStream = info["return_value"]
            if stream.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
                await stream.aclose()
                raise NoAnswer(f"{self.host}: the server does not offer HTTP/2")

    def response(self) -> Response:
        return Response(self.status, self.headers, bytes(self.body))


class Http2:
    """The HTTP/2 calls of one dialer. Redirects are not followed."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int) -> None:
        self._dialer, self._timeout, self._connections = dialer, timeout, connections
        self._phases = {"connect": connect_timeout, "read": timeout, "write": timeout}
        # Not shared with Http1: httpcore sets its ALPN protocols.
        self._tls = web_context("http2")
        self._origins: dict[tuple[bytes, int | None], Origin] = {}
        self._swept = 0.0

    async def carry(
        self, method: str, url: httpx.URL, headers: list[tuple[str, str]], body: bytes, most: int
    ) -> Response:
        """Make a call and return the answer, its body cut at `most` bytes. Raises NoAnswer.

        An answer that breaks off counts if its status is 400 or more: the server refused the request.
        """
        progress = _Progress(url.host)
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
            content=body,
            extensions={"timeout": self._phases, "trace": progress},
        )
        await self._sweep()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(request, progress, most)
        except NoAnswer:
            raise
        except Exception as error:
            if progress.status >= 400:
                return progress.response()
            late = isinstance(error, (TimeoutError, httpcore.TimeoutException))
            words = failure_words(error, started=progress.started)
            kind = "timeout" if late else "lost" if progress.started else "tls" if _untrusted(error) else "connect"
            raise NoAnswer(f"{url.host}: {words}", progress.started, kind=kind) from error

    async def close(self) -> None:
        """Close all connections; those in use when their calls end."""
        origins, self._origins = list(self._origins.values()), {}
        for origin in origins:
            await origin.close()

    async def _send(self, request: httpcore.Request, progress: _Progress, most: int) -> Response:
        """Return the answer. Sends the request again, once, only if the server certainly did not process it. Raises NoAnswer if
        it refused both (RFC 9113 section 8.7: a refused request may be repeated)."""
        key = (request.url.host, request.url.port)
        origin = self._origins.get(key)
        if origin is None:
            origin = Origin(request.url.origin, self._dialer, self._tls, self._connections)
            self._origins[key] = origin
        refusals = 0
        async with origin.slot(self._phases["connect"]):
            while True:
                connection = await origin.take()
                whole = False
                try:
                    whole = await _exchange(connection, request, progress, most)
                    return progress.response()
                except (
                    httpcore.ConnectionNotAvailable
                ) as away:  # closed before, or the server did not process the request
                    pass_on(away)
                    if progress.status:  # it did, since it answered
                        raise
                    refusals += progress.started
                except httpcore.RemoteProtocolError as error:
                    pass_on(error)
                    if progress.status or not _refused(error):
                        raise
                    refusals += 1
                finally:
                    await origin.release(connection, whole=whole)
                progress.started = False
                if refusals > 1:
                    raise NoAnswer(f"{progress.host}: the server refused the request twice, unread", kind="refused")

    async def _sweep(self) -> None:
        """Close idle connections, at most once in KEPT seconds."""
        if (now := time.monotonic()) - self._swept < KEPT:
            return
        self._swept = now
        for key, origin in list(self._origins.items()):
            if await origin.sweep() and self._origins.get(key) is origin:
                del self._origins[key]


async def _exchange(connection: Connection, request: httpcore.Request, progress: _Progress, most: int) -> bool:
    """Send the request and read the answer into `progress`. Return False if the body was cut."""
    response = await connection.handle_async_request(request)
    progress.status, progress.headers = response.status, read_headers(response.headers)
    try:
        async with aclosing(cast(AsyncGenerator[bytes], response.aiter_stream())) as stream:
            async for chunk in stream:
                progress.body += chunk
                if len(progress.body) > most:
                    del progress.body[most:]
                    return False
    finally:
        await response.aclose()
    return True


def _untrusted(error: Exception) -> bool:
    """Return whether the server's certificate is invalid or not trusted."""
    return isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error)


def _refused(error: httpcore.RemoteProtocolError) -> bool:
    """Return whether the server did nothing with the request: REFUSED_STREAM (RFC 9113 section 8.7), or a GOAWAY that
    names no stream (section 6.8)."""
    event = error.args[0] if error.args else None
    if isinstance(event, StreamReset):
        return event.error_code == ErrorCodes.REFUSED_STREAM
    return isinstance(event, ConnectionTerminated) and event.last_stream_id == 0
