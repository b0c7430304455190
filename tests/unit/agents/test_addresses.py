"""The rule of which addresses may be called, and the dialer that keeps to it."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.transport import addresses
from agents.transport.addresses import Dialer, is_allowed
from agents.transport.unanswered import AddressRefused, NoAnswer

REFUSED = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16
    169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1
    198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a00:1
    64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:808:808:: 3ffe::1 3fff::1 5f00::1 fc00::1
    fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
""".split()
PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 168.63.129.15 169.253.0.1
    172.15.255.255 172.32.0.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
    2606:4700:4700::1111 2a00:1450:4001:82a::200e 2001:4860:4860::8888 ::ffff:8.8.8.8 64:ff9b::808:808
""".split()


@pytest.mark.parametrize("written", REFUSED)
def test_an_address_that_is_not_public_is_refused(written: str) -> None:
    """Of each special-purpose block one, and the forms in which IPv6 carries an IPv4 address."""
    assert not is_allowed(ip_address(written))


@pytest.mark.parametrize("written", PUBLIC)
def test_a_public_address_is_allowed(written: str) -> None:
    """Also right beside the blocks that are not."""
    assert is_allowed(ip_address(written))


@given(st.ip_addresses())
def test_nothing_is_allowed_that_python_takes_for_private(address: IPv4Address | IPv6Address) -> None:
    """Nor what it takes for multicast, reserved, loopback or link-local; whatever the version."""
    if is_allowed(address) and not isinstance(addresses.effective(address), IPv4Address):
        assert address.is_global and not address.is_multicast
    if isinstance(address, IPv4Address):
        for written in (
            address,
            ip_address(f"::ffff:{address}"),
            IPv6Address(int(IPv6Address("64:ff9b::")) + int(address)),
        ):
            assert is_allowed(written) is is_allowed(address)
        assert not (is_allowed(address) and (not address.is_global or address.is_multicast))


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_a_network_that_is_allowed_is_allowed_however_it_is_written(address: IPv4Address) -> None:
    """And that network alone."""
    allowed = [ip_network("10.1.0.0/16")]
    inside = address in allowed[0]
    assert is_allowed(address, allowed) is inside
    assert is_allowed(ip_address(f"::ffff:{address}"), allowed) is inside


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver gives one answer after the other, the last for ever; the names that it was asked for."""
    asked: list[str] = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(addresses, "getaddrinfo", answer)
    return asked


async def test_all_addresses_of_a_name_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are allowed are left, in their order; where none is, it says so, and not what the resolver knows."""
    resolving(monkeypatch, ["10.0.0.1", "8.8.8.8", "127.0.0.1", "1.1.1.1", "8.8.8.8"], ["10.0.0.1", "::1"])
    dialer = Dialer((), 5)
    assert await dialer.addresses("mixed.example.com", 443) == ["8.8.8.8", "1.1.1.1"]
    with pytest.raises(AddressRefused) as refused:
        await dialer.addresses("private.example.com", 443)
    assert not refused.value.may_have_arrived and "10.0.0.1" not in str(refused.value)
    dialer.close()


async def test_the_name_is_resolved_once_and_what_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that shows a public address first and a private one after (DNS rebinding) is connected to at the first."""
    asked = resolving(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    dialer, tried = Dialer((), 5), []

    async def connect(address: str) -> str:
        tried.append(address)
        return address

    assert await dialer.reach("rebinding.example.com", 443, connect) == "8.8.8.8"
    assert (asked, tried) == (["rebinding.example.com"], ["8.8.8.8"])
    dialer.close()


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its share of the time for connecting."""
    resolving(monkeypatch, ["8.8.8.8", "8.8.4.4", "1.1.1.1"])
    dialer = Dialer((), 0.6)

    async def connect(address: str) -> str:
        if address == "8.8.8.8":
            await asyncio.sleep(60)
        if address == "8.8.4.4":
            raise ConnectionRefusedError("refused")
        return address

    assert await dialer.reach("slow.example.com", 443, connect) == "1.1.1.1"
    dialer.close()


async def test_a_name_that_does_not_resolve_is_no_arrival() -> None:
    """Nor is one that no resolver can be asked for."""
    dialer = Dialer(None, 5)
    for name in ("nothing.invalid", "a" * 300 + ".example.com", "\udcff.example.com"):
        with pytest.raises(NoAnswer) as missing:
            await dialer.addresses(name, 443)
        assert (missing.value.may_have_arrived, missing.value.kind) == (False, "name")
    dialer.close()
