"""Whose request this is, as an address that limits are counted by: the peer's, or, behind a trusted proxy, the caller's."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

#: Who calls where the connection has no address, as over a Unix socket.
LOCAL = "local"


@lru_cache(maxsize=4096)
def party_of(address: str) -> str:
    """The party that an address counts as. Of IPv6 that is its /64: the smallest that one site is given
    (RFC 6177), so that it is no way to be many. What is no address is a party of its own name, at most 64 characters."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)


class Proxies:
    """The networks whose word is taken for who called them (`X-Forwarded-For`)."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, address: str) -> bool:
        """Whether this address is a trusted proxy's. What is no address is not."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks if network.version == found.version)

    def caller(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """The caller's address: of a trusted peer the right-most in `X-Forwarded-For` that is no trusted proxy, as what
        stands left of it may be made up; else the peer's own. `headers` are ASGI's."""
        if not self._networks or not self.trusts(peer):
            return peer
        hops = [hop for name, value in headers if name == b"x-forwarded-for" for hop in value.split(b",")]
        for hop in reversed(hops):
            address = _bare(hop.strip().decode("latin-1"))
            if address is None:
                return peer
            if not self.trusts(address):
                return address
        return peer


def _bare(hop: str) -> str | None:
    """An address without brackets and port; None where it is none."""
    for text in (hop, hop.rpartition(":")[0], hop.partition("]")[0].removeprefix("[")):
        try:
            return str(ip_address(text))
        except ValueError:
            continue
    return None
