"""HTTP: connections that are kept and shared, HTTP/2 where the server offers it, and what each failure says of the request.

By httpcore, a pool for each origin, so that one slow server cannot take the connections of the others. Whether a request
may have arrived is told by httpcore's trace: before `send_request_headers.started` nothing of it was written, after it
something may have been. A connection that the server closed while it was idle is not used again (`agents.pools`). What
remains is a FIN that crosses the request on its way: over HTTP/1.1 nobody can tell that from a server that took it and
died (RFC 9112 section 9.3.1), so it may have arrived. Over HTTP/2 the server says what it took (RFC 9113 sections 6.8 and 8.7): httpcore asks again by itself for streams above GOAWAY's last one.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import lru_cache
from typing import Any, cast

import httpcore
import httpx
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, StreamReset

from adapters.sending import HttpCall, Response
from agents.addresses import Dialer
from agents.http1 import Http1
from agents.pools import KEPT, Pool
from agents.unanswered import NoAnswer

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00\r\n]*")


class _Sent:
    """How far one call came; httpcore tells it (the `trace` of a request)."""

    started = False
    status = 0
    headers: dict[str, str]
    body: bytearray

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.started = True
        elif event.endswith(".failed") and isinstance(info["exception"], httpcore.ConnectionNotAvailable):
            self.started = False  # the connection was gone, or the server said that it did not take it

    def response(self) -> Response:
        return Response(self.status, self.headers, bytes(self.body))


class Calling:
    """Makes HTTP calls by one dialer. Redirects are not followed."""

    def __init__(
        self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int, max_answer: int
    ) -> None:
        self._dialer, self._timeout, self._connections, self._max = dialer, timeout, connections, max_answer
        self._phases = {"connect": connect_timeout, "pool": connect_timeout, "read": timeout, "write": timeout}
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
        url = _url(call.url)
        headers = _headers(call, url)
        if url.scheme == "http" or (url.raw_scheme, url.raw_host, url.port) in self._plain:
            written = [(name.decode(), value.decode("latin-1")) for name, value in headers]
            return await self._http1.carry(call.method, str(url), written, call.body, self._max)
        sent = _Sent()
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._once(call, url, headers, sent)
                except httpcore.RemoteProtocolError as error:
                    if not _refused(error):
                        raise
                sent.started = False
                return await self._once(call, url, headers, sent)
        except NoAnswer:
            raise
        except Exception as error:
            if sent.status >= 400:
                return sent.response()
            # Of a failure after the start only its name: its words may hold what the server sent.
            words = type(error).__name__ if sent.started else f"{type(error).__name__}: {error}"[:200]
            raise NoAnswer(f"{url.host}: {words}", sent.started, kind=_kind(error, sent)) from error

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.aclose()
        await self._http1.close()

    async def _once(self, call: HttpCall, url: httpx.URL, headers: list[tuple[bytes, bytes]], sent: _Sent) -> Response:
        await self._sweep()
        key = (url.raw_scheme, url.raw_host, url.port)
        pool = self._pools.get(key)
        if pool is None:
            pool = Pool(self._dialer, self._tls, self._connections, multiplexed=url.scheme == "https")
            self._pools[key] = pool
        request = httpcore.Request(
            call.method,
            httpcore.URL(scheme=key[0], host=key[1], port=key[2], target=url.raw_path),
            headers=headers,
            content=call.body,
            extensions={"timeout": self._phases, "trace": sent},
        )
        whole = False
        pool.active += 1
        try:
            whole = await self._exchange(pool, request, sent)
            return sent.response()
        finally:
            pool.active -= 1
            if not pool.multiplexed:
                self._plain.add(key)
            pool.used = time.monotonic()
            # What was left in the middle of HTTP/2 still has its stream, and maybe a dead connection that all others
            # would wait on: who comes next gets a new one, and this one goes with its last call.
            if not whole and sent.started and pool.multiplexed and self._pools.get(key) is pool:
                del self._pools[key]
            if not pool.active and self._pools.get(key) is not pool:
                await pool.aclose()

    async def _exchange(self, pool: Pool, request: httpcore.Request, sent: _Sent) -> bool:
        """Fill in the answer. False where it was cut."""
        response = await pool.handle_async_request(request)
        sent.status, sent.headers, sent.body = response.status, _read_headers(response.headers), bytearray()
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
        """Close what nobody uses: httpcore only looks at a pool's idle connections when somebody comes."""
        if (now := time.monotonic()) - self._swept < KEPT:
            return
        self._swept = now
        for key, pool in list(self._pools.items()):
            if not pool.active and now - pool.used > KEPT:
                del self._pools[key]
                await pool.aclose()


@lru_cache(maxsize=4096)
def _url(text: str) -> httpx.URL:
    """Raises NoAnswer for what is no address of HTTP."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise NoAnswer("the URL cannot be read", kind="request") from error
    if url.scheme not in ("http", "https") or not url.raw_host:
        raise NoAnswer("the URL is not one of http or https", kind="request")
    return url


def _headers(call: HttpCall, url: httpx.URL) -> list[tuple[bytes, bytes]]:
    """Raises NoAnswer for what cannot stand in a header."""
    given = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "threadline"} | call.headers
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        given["content-length"] = str(len(call.body))
    given.setdefault("host", url.netloc.decode())
    try:
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in given.items()]
    except UnicodeEncodeError as error:
        raise NoAnswer("a header has characters that cannot stand there", kind="request") from error
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise NoAnswer("a header has characters that cannot stand there", kind="request")
    return headers


def _read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; values of one name joined (RFC 9110 section 5.3)."""
    read: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        read[key] = f"{read[key]}, {text}" if key in read else text
    return read


def _kind(error: Exception, sent: _Sent) -> str:
    if isinstance(error, httpcore.PoolTimeout):
        return "pool"
    if isinstance(error, (TimeoutError, httpcore.TimeoutException)):
        return "timeout"
    return "lost" if sent.started else "connect"


def _refused(error: httpcore.RemoteProtocolError) -> bool:
    """Whether an HTTP/2 server says that it did nothing with the request: REFUSED_STREAM (RFC 9113 section 8.7), or a
    GOAWAY that took no stream at all (section 6.8)."""
    said = error.args[0] if error.args else None
    if isinstance(said, StreamReset):
        return said.error_code == ErrorCodes.REFUSED_STREAM
    return isinstance(said, ConnectionTerminated) and said.last_stream_id == 0
