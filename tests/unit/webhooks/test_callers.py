"""Which addresses are in a network, however the two are written."""

from ipaddress import ip_address, ip_network

import pytest

from agents.transport.addresses import Dialer
from app.http.access import _within
from webhooks.callers import Proxies, compared


@pytest.mark.parametrize("written", ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:a00:0/104"])
def test_a_network_of_mapped_addresses_is_the_one_that_they_map(written: str) -> None:
    """For API keys, trusted proxies, and private networks that may be called."""
    network = ip_network(written)
    assert str(compared(network)) == "10.0.0.0/8"
    for address, inside in (("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.1.2.3", False), ("2001:db8::1", False)):
        assert _within(address, [network]) is inside
        assert Proxies([network]).trusts(address) is inside
    Dialer([network], 1.0).literal("10.1.2.3")


@pytest.mark.parametrize("written", ["::/0", "::fffe:0:0/95", "2001:db8::/32", "::ffff:0:0/96", "::ffff:10.0.0.1/128"])
def test_other_networks_stay_as_they_are(written: str) -> None:
    """All mapped ones are all of IPv4, and one is one."""
    network, made = ip_network(written), compared(ip_network(written))
    assert made == network if made.version == 6 else ip_address("10.0.0.1") in made
    assert made.version == (4 if network.prefixlen >= 96 else 6)
