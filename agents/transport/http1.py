"""HTTP/1.1 by aiohttp, whose compiled parser makes a call cost a fifth of what httpcore's costs (0.2 ms of processor
time against 1 to 4, measured with 64 connections to one origin).

Connections go by the dialer. If a call fails before it had a connection, nothing arrived; after that it may have: a
client cannot distinguish a FIN that crosses the request from a server that processed it and died (RFC 9112 section
9.3.1). aiohttp itself repeats only requests of idempotent methods (RFC 9110 section 9.2.2). A connection that the
server closed while it was idle is not used again.
"""

from functools import lru_cache
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import aiohttp
import yarl

from adapters.contract import Response
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.at_once import Answer, exchange, refuse_upgrade, suits, written
from agents.transport.connector import Connector, Resolver
from agents.transport.tls import web_context
from agents.transport.unanswered import AddressRefused, NoAnswer, failure_words
from agents.transport.written import read_headers

#: Seconds that an idle connection is kept: less than the five after which many servers close theirs.
KEPT = 4.0
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


class Http1:
    """The HTTP/1.1 calls of one dialer. Redirects are not followed, bodies not decompressed, cookies not kept."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int) -> None:
        self._dialer, self._connections = dialer, connections
        self._tls = web_context("http1")
        self._tls.set_alpn_protocols(["http/1.1"])
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=connect_timeout)
        self._session: aiohttp.ClientSession | None = None
        self._connector: Connector | None = None

    async def carry(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, most: int) -> Response:
        """Make a call and return the answer, its body cut at `most` bytes. Raises NoAnswer."""
        target, answer = _target(url), Answer()
        try:
            self._dialer.literal(target.host or "")  # aiohttp does not pass an address to the resolver
            session, connector = self._opened()
            if suits(method, target, body):
                request = written(method, target, headers, body)
                await exchange(connector, self._timeout, target, request, answer, most)
            else:
                await self._by_session(session, method, target, headers, body, answer, most)
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
            if answer.status < 400:
                kind = "timeout" if isinstance(error, TimeoutError) else "lost"
                if kind == "lost" and self._connector is not None:
                    self._connector.forget(target)
                raise NoAnswer(f"{target.host}: {failure_words(error, started=True)}", True, kind=kind) from error
        return Response(answer.status, answer.headers, bytes(answer.body[:most]))

    async def _by_session(
        self, session: aiohttp.ClientSession, method: str, target: yarl.URL, headers: list[tuple[str, str]], body: bytes,
        answer: Answer, most: int,
    ) -> None:  # fmt: skip
        """Make a call of any other kind, part by part where its body is long."""
        async with session.request(
            method,
            target,
            headers=headers,
            data=BytesIO(body) if len(body) > CHUNK else body or None,
            allow_redirects=False,
        ) as response:
            answer.status = response.status
            refuse_upgrade(answer.status, target.host)
            answer.headers = read_headers(response.raw_headers)
            async for chunk in response.content.iter_chunked(CHUNK):
                answer.body += chunk
                if len(answer.body) > most:
                    response.close()
                    break

    async def close(self) -> None:
        """Close all connections; calls in progress fail."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> tuple[aiohttp.ClientSession, Connector]:
        if self._session is None or self._connector is None:
            connector = self._connector = Connector(
                resolver=Resolver(self._dialer),
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
        return self._session, self._connector
