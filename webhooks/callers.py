"""Finds the address that a request is counted under: the peer's, or, behind a trusted proxy, the caller's."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

#: The party of a connection without an address, such as a Unix socket.
LOCAL = "local"
#: The IPv4 addresses within IPv6's (RFC 4291 section 2.5.5.2).
_MAPPED = IPv6Network("::ffff:0:0/96")


def compared(network: Network) -> Network:
    """Return the network with which addresses are compared. For a network of mapped addresses (`::ffff:10.0.0.0/104`) that is the IPv4
    network, since such addresses are read as IPv4."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network


@lru_cache(maxsize=4096)
def party_of(address: str) -> str:
    """Return the party that an address counts as. For IPv6 that is its /64, the smallest network that a site is given
    (RFC 6177). Text that is no address is its own party, cut to 64 characters."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)


class Proxies:
    """The networks of trusted proxies, whose `X-Forwarded-For` is believed."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.use(networks)

    def use(self, networks: Iterable[Network]) -> None:
        """Trust these networks from now on."""
        self._networks = tuple(map(compared, networks))

    def trusts(self, address: str) -> bool:
        """Return whether this address belongs to a trusted proxy. Text that is no address does not."""
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks if network.version == found.version)

    def caller(self, peer: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """Return the caller's address. Behind a trusted peer that is the right-most address in `X-Forwarded-For` that is not a
        trusted proxy, since the caller may have made up what is left of it; else it is the peer's. `headers` are ASGI's."""
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
    """Return the address without brackets and port, or None if this is no address."""
    for text in (hop, hop.rpartition(":")[0], hop.partition("]")[0].removeprefix("[")):
        try:
            return str(ip_address(text))
        except ValueError:
            continue
    return None
