"""Makes an HTTP/1.1 call whose request is written at once: over aiohttp's connections and with its compiled parser, but without
its session, whose steps (a task and a stream for each body, multidicts, hooks) cost more than all the rest of a call.

Errors are those that aiohttp's session raises.
"""

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus

import aiohttp
import yarl
from aiohttp.http_exceptions import HttpProcessingError

from agents.transport import fence
from agents.transport.unanswered import NoAnswer
from agents.transport.written import read_headers

#: Methods of requests that have a length, and bodies in their answers.
_METHODS = ("POST", "PUT", "PATCH")
#: What the first line of a request may have as its target (RFC 9112 section 3.2).
_PATH = re.compile(r"[!-~]+")
#: Most bytes of a body that is written with its headers.
MOST = 1 << 16


class Answer:
    """What came of an answer so far."""

    __slots__ = ("body", "headers", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()


def suits(method: str, target: yarl.URL, body: bytes) -> bool:
    """Return whether a request can be written at once."""
    return method in _METHODS and len(body) <= MOST and target.raw_user is None and target.raw_password is None


def written(method: str, target: yarl.URL, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Return a request as it is written. Its headers were validated. Raises ValueError for a target that cannot stand in its
    first line."""
    path = target.raw_path_qs
    if _PATH.fullmatch(path) is None:
        raise ValueError("the path has characters that HTTP does not allow")
    lines = [f"{method} {path} HTTP/1.1", *[f"{name}: {value}" for name, value in headers]]
    if body and all(name.lower() != "content-type" for name, _ in headers):
        lines.append("content-type: application/octet-stream")
    return "\r\n".join((*lines, "\r\n")).encode() + body


def refuse_upgrade(status: int, host: str | None) -> None:
    """Raise NoAnswer for a status of 101: none was requested, and no answer follows."""
    if status == HTTPStatus.SWITCHING_PROTOCOLS:
        raise NoAnswer(f"{host}: 101 in place of an answer", True, kind="lost")


@lru_cache(maxsize=1024)
def _asking(origin: yarl.URL, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientRequest:
    """Return what a connector needs to know of a request: where it goes."""
    return aiohttp.ClientRequest("GET", origin, loop=loop)


async def exchange(
    connector: aiohttp.TCPConnector, within: aiohttp.ClientTimeout, target: yarl.URL, request: bytes, answer: Answer, most: int
) -> None:  # fmt: skip
    """Write a request and read its answer into `answer` within a time, up to a little more than `most` bytes of its body. Raises NoAnswer, and aiohttp's and
    the system's errors; ConnectionTimeoutError where it had no connection in time."""
    connection = None
    try:
        async with asyncio.timeout(within.total):
            asking = _asking(target.origin(), asyncio.get_running_loop())
            connection = await connector.connect(asking, [], within)
            if await _over(connection, target.host or "", request, answer, most):
                connection.release()
    except TimeoutError as error:
        if connection is None:
            raise aiohttp.ConnectionTimeoutError("no connection in time") from error
        raise
    except HttpProcessingError as error:
        raise aiohttp.ClientPayloadError("the answer is not one of HTTP") from error
    finally:
        if connection is not None:
            connection.close()  # of one that was released, nothing


async def _over(connection: aiohttp.connector.Connection, host: str, request: bytes, answer: Answer, most: int) -> bool:
    """Make the exchange over a connection. Return whether all of the answer was read."""
    protocol = connection.protocol
    assert protocol is not None
    protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=MOST)
    transport = protocol.transport
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed")
    fence.current().check(host, begun=False)
    transport.write(request)
    while True:
        message, payload = await protocol.read()
        refuse_upgrade(message.code, host)
        if not 100 <= message.code < 200:
            break
    answer.status, answer.headers = message.code, read_headers(message.raw_headers)
    while not payload.at_eof():
        answer.body += await payload.readany()
        if len(answer.body) > most:
            return False
    return True
