"""Limits that change while they are in use."""

from ipaddress import ip_network

from app.http.rates import Rates
from webhooks.callers import Proxies
from webhooks.shares import Room


def test_a_changed_rate_counts_from_the_next_request() -> None:
    """What a caller has used stays used; the new rate fills its bucket, up to the new burst."""
    clock = [0.0]
    rates = Rates(1, 2, now=lambda: clock[0])
    assert [rates.take("a").passes for _ in range(3)] == [True, True, False]
    rates.change(10, 5)
    assert not rates.take("a").passes
    clock[0] += 60
    assert [rates.take("a").passes for _ in range(6)] == [True] * 5 + [False]
    assert rates.fields(rates.take("b"))["ratelimit-policy"] == '"key";q=5;w=1'


def test_a_smaller_room_keeps_what_is_in_it() -> None:
    """Nothing is sent away; the next one waits until there is room again."""
    room = Room(1, 100)
    assert room.take("a", 10) and not room.take("a", 10)
    room.resize(2, 100)
    assert room.take("a", 10)
    room.resize(1, 100)
    assert not room.take("a", 10)
    room.give("a", 10)
    assert (room.requests, room.bytes, room.take("a", 10)) == (1, 10, False)
    room.give("a", 10)
    assert room.take("a", 10)


def test_proxies_are_trusted_from_then_on() -> None:
    """And no longer, once they are not named."""
    proxies, headers = Proxies(), [(b"x-forwarded-for", b"203.0.113.7")]
    assert proxies.caller("10.0.0.1", headers) == "10.0.0.1"
    proxies.use([ip_network("10.0.0.0/8")])
    assert proxies.caller("10.0.0.1", headers) == "203.0.113.7"
    proxies.use([])
    assert proxies.caller("10.0.0.1", headers) == "10.0.0.1"
