"""What becomes of simulated messages, and how their webhooks suffer: by chance, as asked for, and the same again by a seed."""

from collections import Counter
from random import Random
from urllib.parse import parse_qsl

import orjson
import pytest

from adapters.simulating import Post
from app.simulator.faults import Faults, drifted
from app.simulator.life import life, nth

STATES = ("MessageQueued", "UserMessageSent", "MessageDelivered", "MessageRead", "MessageFailed", "MessageRejected")


def test_a_life_is_in_order_and_ends_once() -> None:
    """States follow in their order at rising times; a failed message is not delivered, a rejected one not even sent."""
    ends: Counter[str] = Counter()
    for seed in range(500):
        reported = list(life(STATES, 0.3, Random(seed)))
        times, states = [at for at, _ in reported], [state for _, state in reported]
        assert times == sorted(times) and len(set(states)) == len(states)
        assert states == sorted(states, key=STATES.index)
        if "MessageFailed" in states or "MessageRejected" in states:
            assert "MessageDelivered" not in states
        if "MessageRejected" in states:
            assert states == ["MessageRejected"]
        ends[states[-1]] += 1
    assert 0.2 < (ends["MessageFailed"] + ends["MessageRejected"]) / 500 < 0.4
    assert ends["MessageRead"] and ends["MessageDelivered"]


def test_who_tells_only_failures_or_nothing_else_is_played() -> None:
    """Whatever states a provider reports, no other is made up."""
    for states in ((), ("MessageFailed",), ("MessageDelivered",), ("MessageComplained", "RecipientUnsubscribed")):
        for seed in range(50):
            assert {state for _, state in life(states, 0.5, Random(seed))} <= set(states)


def test_shares_are_those_asked_for() -> None:
    """Webhooks are lost, doubled and late, each at its share, and never if no share is asked for."""
    draw, faults = Random(7), Faults(duplicates=0.3, shuffle=5, lose=0.1)
    delays = [faults.delays(draw) for _ in range(5000)]
    counts = Counter(map(len, delays))
    assert 0.08 < counts[0] / 5000 < 0.12
    assert 0.24 < counts[2] / 5000 < 0.30
    assert all(0 <= delay <= 5 for each in delays for delay in each)
    assert Faults().delays(draw) == [0.0]
    assert not Faults().drifts(draw)


def test_a_drifted_webhook_is_another_and_still_its_form() -> None:
    """JSON stays JSON, a form a form, with something in it that was not there, or not so; anything else is left alone."""
    document = {"event": "delivered", "message": {"id": "1", "to": ["a"]}}
    body = orjson.dumps(document)
    for seed in range(100):
        changed = orjson.loads(drifted(Post("", body, {"content-type": "application/json"}), Random(seed)).body)
        assert changed != document
    form = Post("", b"MessageStatus=sent&To=%2B1", {"content-type": "application/x-www-form-urlencoded"})
    for seed in range(100):
        pairs = parse_qsl(drifted(form, Random(seed)).body.decode())
        assert dict(pairs) != {"MessageStatus": "sent", "To": "+1"} and ("To", "+1") in pairs
    assert drifted(Post("", b"\xff", {}), Random(1)).body == b"\xff"


@pytest.mark.parametrize(
    ("address", "seventh"),
    [
        ("+15551234567", "+15551230007"),
        ("ana@example.com", "ana7@example.com"),
        ("ana99@example.com", "ana997@example.com"),
        ("telegram:12345678", "telegram:12340007"),
        ("line:U1a", "line:U1a7"),
        ("broker", "broker7"),
    ],
)
def test_customers_have_addresses_of_their_own(address: str, seventh: str) -> None:
    """Addresses have the form of the example, and differ for each number."""
    assert nth(address, 7) == seventh
    assert len({nth(address, number) for number in range(10)}) == 10
