"""Decides which addresses may be called, and connects to them: a name is resolved once, and only checked addresses are
used.

A library would resolve the name a second time, and a name that resolves differently then (DNS rebinding) would pass the
check. Addresses that are not public are those of IANA's registries of special-purpose addresses,
https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import getaddrinfo
from typing import TypeVar

from agents.transport.unanswered import AddressRefused, NoAnswer
from webhooks.callers import compared

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
T = TypeVar("T")

#: IPv4 networks without public servers: this network, private use, shared by carriers, loopback, link-local (and the
#: clouds' metadata), private use, protocol assignments, documentation, 6to4 relays, Azure's own (a public number that
#: each of its machines reaches), private use, benchmarks, documentation twice, multicast, reserved and broadcast.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 168.63.129.16/32 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 "
        "240.0.0.0/4"
    ).split()
)
#: The IPv6 network of all public addresses (RFC 4291 section 2.4). It excludes loopback, link-local, unique local,
#: site-local, multicast, discard-only and the local NAT64 prefix.
_PUBLIC_6 = IPv6Network("2000::/3")
#: Within it: protocol assignments (with Teredo), documentation, 6to4 (deprecated by RFC 7526), 6bone's, documentation.
_NOT_PUBLIC_6 = tuple(IPv6Network(each) for each in "2001::/23 2001:db8::/32 2002::/16 3ffe::/16 3fff::/20".split())
#: The prefix of translated IPv4 addresses (RFC 6052).
_NAT64 = IPv6Network("64:ff9b::/96")
#: Most names resolved concurrently. They have their own threads, so that a resolver that hangs does not block the event
#: loop's.
RESOLVING = 16


def effective(address: Address) -> Address:
    """Return the IPv4 address within a mapped or translated IPv6 one; else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def is_allowed(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Return whether the address is public, or in one of the `allowed` networks."""
    meant = effective(address)
    if any(meant in network or address in network for network in allowed):
        return True
    if isinstance(meant, IPv4Address):
        return not any(meant in network for network in _NOT_PUBLIC_4)
    return meant in _PUBLIC_6 and not any(meant in network for network in _NOT_PUBLIC_6)


class Dialer:
    """Resolves names and connects. `allowed`: private networks that are allowed; None: all of them."""

    def __init__(self, allowed: Sequence[Network] | None, connect_timeout: float) -> None:
        self._allowed = None if allowed is None else tuple(map(compared, allowed))
        self._timeout = connect_timeout
        self._threads = ThreadPoolExecutor(RESOLVING, "resolve")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the host's allowed addresses, in the resolver's order. Raises NoAnswer, AddressRefused."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout):
                found = await loop.run_in_executor(
                    self._threads, lambda: getaddrinfo(host, port, type=socket.SOCK_STREAM)
                )
        except (OSError, UnicodeError) as error:  # a TimeoutError is an OSError
            raise NoAnswer(f"the name {host[:255]!r} does not resolve: {_worded(error)}", kind="name") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if self._allowed is None:
            return addresses
        allowed = [each for each in addresses if is_allowed(ip_address(each), self._allowed)]
        if not allowed:
            # Without the addresses: the person who chose the host may see this, and must not learn what our resolver
            # knows.
            raise AddressRefused(f"{host[:255]!r} has no public address")
        return allowed

    def literal(self, host: str) -> None:
        """Raise AddressRefused if the host is a literal address that is not allowed."""
        if self._allowed is None:
            return
        try:
            address = ip_address(host)
        except ValueError:
            return
        if not is_allowed(address, self._allowed):
            raise AddressRefused(f"{host[:255]!r} is not a public address")

    async def reach(self, host: str, port: int, connect: Callable[[str], Awaitable[T]]) -> T:
        """Return the result of `connect` for the first address that accepts the connection. Each address gets an equal
        share of the remaining time, so that a dead one does not use up all of it. Raises NoAnswer, AddressRefused."""
        loop = asyncio.get_running_loop()
        addresses = await self.addresses(host, port)
        until = loop.time() + self._timeout
        failure: Exception | None = None
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout((until - loop.time()) / left):
                    return await connect(address)
            except OSError as error:
                failure = error
        raise NoAnswer(f"no connection to {host[:255]}:{port}: {_worded(failure)}") from failure

    async def open(self, host: str, port: int) -> socket.socket:
        """Return a connected, non-blocking socket. Raises NoAnswer, AddressRefused."""

        async def connect(address: str) -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            opened = socket.socket(family, socket.SOCK_STREAM)
            try:
                opened.setblocking(False)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await asyncio.get_running_loop().sock_connect(opened, (address, port))
            except BaseException:
                opened.close()
                raise
            return opened

        return await self.reach(host, port, connect)

    def close(self) -> None:
        """Shut the threads down without waiting; one that is still resolving ends when it has finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _worded(error: Exception | None) -> str:
    return str(error) or type(error).__name__
