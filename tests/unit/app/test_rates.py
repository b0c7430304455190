"""Token buckets: how many requests pass, and what the answer's fields say."""

import pytest

from app.http.rates import Rates


class Clock:
    """A clock that is moved by hand, in seconds."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_has_a_burst_and_then_its_rate() -> None:
    """After the burst as many pass as the rate lets: two a second."""
    clock = Clock()
    rates = Rates(2, 5, now=clock)
    assert [rates.take("a").passes for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 1.0
    assert [rates.take("a").passes for _ in range(3)] == [True, True, False]
    clock.now += 1000.0
    assert [rates.take("a").passes for _ in range(6)] == [True] * 5 + [False]


def test_callers_do_not_share() -> None:
    """One who asks too often takes nothing from another."""
    rates = Rates(1, 1, now=Clock())
    assert rates.take("a").passes and not rates.take("a").passes
    assert rates.take("b").passes


def test_only_so_many_callers_are_remembered() -> None:
    """Whoever makes up callers uses up no memory, and does not push out one who goes on asking."""
    rates = Rates(1, 2, most=3, now=Clock())
    for n in range(100):
        rates.take(n)
        kept = rates.take("steady")
    assert not kept.passes
    assert len(rates._buckets) == 3


def test_fields_are_those_of_the_draft() -> None:
    """`RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-09 has them (sections 3 and 4: quota,
    window, what is left, seconds), and Retry-After only in a refusal."""
    rates = Rates(2, 4, now=Clock())
    assert rates.fields(rates.take("a")) == {"ratelimit-policy": '"key";q=4;w=2', "ratelimit": '"key";r=3;t=1'}
    refused = [rates.fields(rates.take("a")) for _ in range(4)][-1]
    assert refused == {"ratelimit-policy": '"key";q=4;w=2', "ratelimit": '"key";r=0;t=2', "retry-after": "1"}


@pytest.mark.parametrize("per_second", [0.5, 1, 3000])
def test_waiting_as_long_as_retry_after_says_is_enough(per_second: float) -> None:
    """A caller who comes again after `wait` passes."""
    clock = Clock()
    rates = Rates(per_second, 1, now=clock)
    rates.take("a")
    clock.now += rates.take("a").wait
    assert rates.take("a").passes
