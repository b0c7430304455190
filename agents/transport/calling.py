"""Makes HTTP calls: by HTTP/2 if the adapter asks for it (`HttpCall.http2`) and the URL is one of https, else by
HTTP/1.1."""

import asyncio

from adapters.contract import HttpCall, Response
from agents.transport.addresses import Dialer
from agents.transport.http1 import Http1
from agents.transport.http2 import Http2
from agents.transport.written import headers_of, text_of, url_of


class Calling:
    """Makes HTTP calls by one dialer. Redirects are not followed."""

    def __init__(
        self, dialer: Dialer, *, timeout: float, connect_timeout: float, connections: int, max_answer: int
    ) -> None:
        self._max = max_answer
        self._http1 = Http1(dialer, timeout=timeout, connect_timeout=connect_timeout, connections=connections)
        self._http2 = Http2(dialer, timeout=timeout, connect_timeout=connect_timeout, connections=connections)

    async def carry(self, call: HttpCall) -> Response:
        """Return the answer, whatever its status; its body is cut at `max_answer` bytes. Raises NoAnswer."""
        url = url_of(call.url)
        headers = headers_of(call, url)
        if call.http2 and url.scheme == "https":
            return await self._http2.carry(call.method, url, headers, call.body, self._max)
        return await self._http1.carry(call.method, text_of(url), headers, call.body, self._max)

    async def close(self) -> None:
        """Close the connections; calls in progress over HTTP/1.1 fail."""
        await asyncio.gather(self._http1.close(), self._http2.close())
