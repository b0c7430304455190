"""Room divided among parties, and who counts as one."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.listening.descriptors import divide
from webhooks.callers import Proxies, party_of
from webhooks.shares import Room


def test_alone_all_of_it() -> None:
    """One party may have all that there is, and no more; what it gives back is there again."""
    room = Room(3, 100)
    assert [room.take("a", 10) for _ in range(4)] == [True, True, True, False]
    room.give("a", 10)
    assert room.take("a", 70)
    assert not room.take("a", 1)
    assert (room.requests, room.bytes) == (3, 90)


def test_a_full_room_still_has_the_others_part() -> None:
    """Who has less than its equal part is taken in, up to it, whoever has used up the rest."""
    room = Room(10, 1000)
    assert sum(room.take("flood", 1) for _ in range(50)) == 10
    assert sum(room.take("provider", 1) for _ in range(50)) == 5
    assert not room.take("flood", 1)
    assert room.take("another", 900)  # its first one needs no part of the bytes
    assert not room.take("another", 900)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60), st.booleans()), max_size=80))
def test_never_more_than_twice_the_room(steps: list[tuple[str, int, bool]]) -> None:
    """And what is held is what was taken and not given back; a party without anything always finds room below that."""
    room = Room(8, 100)
    held: list[tuple[str, int]] = []
    for party, size, gives in steps:
        if gives and held:
            room.give(*held.pop())
        elif room.take(party, size):
            held.append((party, size))
        else:
            full = room.requests >= 16 or room.bytes + size > 200
            assert full or any(one == party for one, _ in held) or len({one for one, _ in held}) == 0
        assert (room.requests, room.bytes) == (len(held), sum(size for _, size in held))
        assert room.requests <= 16 and room.bytes <= 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_parties(one: str, other: str, same: bool) -> None:
    """An IPv4 address, an IPv6 site."""
    assert (party_of(one) == party_of(other)) is same


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1, 192.0.2.1, 10.9.9.9"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", ["192.0.2.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.7"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("192.0.2.9", ["192.0.2.1"], "192.0.2.9"),
    ],
)
def test_who_calls_through_a_proxy(peer: str, forwarded: list[str], caller: str) -> None:
    """The right-most address that is no trusted proxy's, and only a trusted proxy is asked."""
    proxies = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    assert proxies.caller(peer, headers) == caller
    assert Proxies().caller(peer, headers) == peer


@pytest.mark.parametrize("descriptors", [512, 1024, 4096, 65_536, 1 << 20])
def test_descriptors(descriptors: int) -> None:
    """There is always one for the next: those that wait to be taken, and those that are being closed for them, fit too."""
    budget = divide(descriptors, 10_000)
    assert 16 <= budget.connections <= 10_000
    assert budget.connections + 3 * budget.backlog + 100 <= descriptors
    with pytest.raises(ValueError, match="raise the limit"):
        divide(128, 10_000)
