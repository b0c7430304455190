"""HTTP/1.1 by aiohttp, whose compiled parser makes a call cost a fifth of what httpcore's costs (0.2 ms of processor
time against 1 to 4, measured with 64 connections to one origin).

Connections go by the dialer. If a call fails before it had a connection, nothing arrived; after that it may have: a
client cannot distinguish a FIN that crosses the request from a server that processed it and died (RFC 9112 section
9.3.1). aiohttp itself repeats only requests of idempotent methods (RFC 9110 section 9.2.2). A connection that the
server closed while it was idle is not used again.
"""

import select
import socket
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection

from adapters.contract import Response
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.tls import web_context
from agents.transport.unanswered import AddressRefused, NoAnswer, failure_words
from agents.transport.written import read_headers

#: Seconds that an idle connection is kept: less than the five after which many servers close theirs.
KEPT = 4.0
#: Poll events of a connection that the other end closed, even if unread data came before.
ENDED = getattr(select, "POLLRDHUP", select.POLLIN) | select.POLLHUP | select.POLLERR | select.POLLNVAL
#: Bytes read at a time.
CHUNK = 1 << 16
#: Errors of a call that never had a connection.
_BEFORE = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@lru_cache(maxsize=4096)
def _target(url: str) -> yarl.URL:
    return yarl.URL(url, encoded=True)


def _fencing() -> aiohttp.TraceConfig:
    """Return a trace that checks the fence before the first byte of a request and before each further part: aiohttp
    writes the headers together with the first part of the body, or alone if there is none."""

    async def headers(session: Any, context: SimpleNamespace, about: aiohttp.TraceRequestHeadersSentParams) -> None:
        fence.current().check(about.url.host or "", begun=False)
        context.begun = False

    async def part(session: Any, context: SimpleNamespace, about: aiohttp.TraceRequestChunkSentParams) -> None:
        fence.current().check(about.url.host or "", begun=context.begun)
        context.begun = True

    made = aiohttp.TraceConfig()
    made.on_request_headers_sent.append(headers)
    made.on_request_chunk_sent.append(part)
    return made


class _Resolver(AbstractResolver):
    """Resolves names by the dialer, which returns only addresses that may be called; aiohttp connects to these
    alone."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._dialer.addresses(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Do nothing: the dialer's owner closes it."""


class _Connector(aiohttp.TCPConnector):
    """Reuses no idle connection that has ended, and none that was idle when another of its origin was lost: a server
    that restarts loses all its connections, and each one reused would cost a send its answer."""

    async def _get(self, key: ConnectionKey, traces: list[Any]) -> Connection | None:
        idle = self._conns.get(key)
        while idle and _ended(idle[0][0]):
            idle.popleft()[0].close()
        return await super()._get(key, traces)  # drops what is empty

    def forget(self, url: yarl.URL) -> None:
        """Close the idle connections of a URL's origin."""
        ours = [
            key
            for key in self._conns
            if (key.host, key.port, key.is_ssl) == (url.host, url.port, url.scheme == "https")
        ]
        for key in ours:
            for connection, _ in self._conns.pop(key):
                connection.close()


def _ended(connection: ResponseHandler) -> bool:
    """Return whether an idle connection has something to read: its end, or data that no request asked for."""
    opened = connection.transport and connection.transport.get_extra_info("socket")
    if not opened or opened.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(opened.fileno(), ENDED | select.POLLIN)
    return bool(poll.poll(0))


class Http1:
    """The HTTP/1.1 calls of one dialer. Redirects are not followed, bodies not decompressed, cookies not kept."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int) -> None:
        self._dialer, self._connections = dialer, connections
        self._tls = web_context("http1")
        self._tls.set_alpn_protocols(["http/1.1"])
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=connect_timeout)
        self._session: aiohttp.ClientSession | None = None
        self._connector: _Connector | None = None

    async def carry(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, most: int) -> Response:
        """Make a call and return the answer, its body cut at `most` bytes. Raises NoAnswer."""
        target = _target(url)
        status, answered, read = 0, dict[str, str](), bytearray()
        try:
            self._dialer.literal(target.host or "")  # aiohttp does not pass an address to the resolver
            async with self._opened().request(
                method,
                target,
                headers=headers,
                data=BytesIO(body) if len(body) > CHUNK else body or None,
                allow_redirects=False,
            ) as answer:
                status = answer.status
                if status == HTTPStatus.SWITCHING_PROTOCOLS:  # not requested, and no answer follows
                    raise NoAnswer(f"{target.host}: 101 in place of an answer", True, kind="lost")
                answered = read_headers(answer.raw_headers)
                length = answer.content_length
                if length is not None and length <= most:
                    read += await answer.read()
                else:
                    async for chunk in answer.content.iter_chunked(CHUNK):
                        read += chunk
                        if len(read) > most:
                            answer.close()
                            break
        except NoAnswer:
            raise
        except aiohttp.InvalidURL as error:  # an IPv4 address in another than its usual form
            raise AddressRefused(f"{(target.host or '')[:255]!r} is no address that may be called") from error
        except _BEFORE as error:
            tls = isinstance(error, aiohttp.ClientConnectorCertificateError)  # it is not valid, or not trusted
            kind = "timeout" if isinstance(error, TimeoutError) else "tls" if tls else "connect"
            raise NoAnswer(f"{target.host}: {failure_words(error, started=False)}"[:300], kind=kind) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            if isinstance(error.__cause__, NoAnswer):  # the fence's
                raise error.__cause__ from None
            if status < 400:
                kind = "timeout" if isinstance(error, TimeoutError) else "lost"
                if kind == "lost" and self._connector is not None:
                    self._connector.forget(target)
                raise NoAnswer(f"{target.host}: {failure_words(error, started=True)}", True, kind=kind) from error
        return Response(status, answered, bytes(read[:most]))

    async def close(self) -> None:
        """Close all connections; calls in progress fail."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = self._connector = _Connector(
                resolver=_Resolver(self._dialer),
                use_dns_cache=False,
                limit=0,
                limit_per_host=self._connections,
                keepalive_timeout=KEPT,
                ssl=self._tls,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_fencing()],
                trust_env=False,
            )
        return self._session
