"""The connections of HTTP/1.1 calls, by aiohttp: they go to the addresses that the dialer allows, and none is used again that has
ended while it was idle."""

import select
import socket
from typing import Any

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection

from agents.transport.addresses import Dialer

#: Poll events of a connection that the other end closed, even if unread data came before.
ENDED = getattr(select, "POLLRDHUP", select.POLLIN) | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Resolver(AbstractResolver):
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


class Connector(aiohttp.TCPConnector):
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
