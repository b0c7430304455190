"""What this process sealed is found again for a short time, and no longer; within a bound; and not at all after an erasure."""

from uuid import UUID

import pytest

from sql.personal import open_payload, seal_payload
from sql.personal.keys import HandleKeys, new_salt
from sql.personal.opened import Memo
from sql.personal.recent import LONGEST, Recent

ROOT, PLACE = bytes(range(32)), b"payload.content.text"
ANA = UUID(int=1)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_kept_until_it_is_switched_on() -> None:
    """A process that relays nothing reads nothing back."""
    recent = Recent(60.0)
    recent.keep(PLACE, "sealed:a", "a")
    assert (len(recent), recent.get((PLACE, "sealed:a"))) == (0, None)
    recent.on = True
    recent.keep(PLACE, "sealed:a", "a")
    recent.keep(PLACE, "sealed:b", b'{"b":[1]}')
    assert (recent.get((PLACE, "sealed:a")), recent.get((PLACE, "sealed:b"))) == ("a", {"b": [1]})
    assert recent.get((b"payload.from", "sealed:a")) is None


def test_it_is_kept_no_longer_than_a_key() -> None:
    """Whenever it was kept: looked at every second, each is gone after its lifetime, and there for the first half of it."""
    clock = Clock()
    recent = Recent(60.0, now=clock)
    recent.on = True
    born: dict[str, float] = {}
    for second in range(300):
        recent.keep(PLACE, f"sealed:{second}", str(second))
        born[f"sealed:{second}"] = clock.now
        clock.now += 1
        recent.expire()
        for sealed, since in born.items():
            found, age = recent.get((PLACE, sealed)), clock.now - since
            assert age >= 30 if found is None else age < 61
    clock.now += 60
    recent.expire()
    assert len(recent) == 0


@pytest.mark.parametrize("pauses", [(29.0, 16.0), (59.0, 2.0), (31.0, 29.5), (45.0, 14.0, 2.0), (10.0, 49.0, 1.0)])
def test_it_is_kept_no_longer_where_nobody_looks_meanwhile(pauses: tuple[float, ...]) -> None:
    """As while the relay waits for Kafka: a look late in its time begins no new half of it."""
    clock = Clock()
    recent = Recent(60.0, now=clock)
    recent.on = True
    recent.keep(PLACE, "sealed:a", "a")
    born = clock.now
    for pause in (*pauses, 10.0, 10.0, 10.0):
        clock.now += pause
        recent.expire()
        assert recent.get((PLACE, "sealed:a")) is None or clock.now - born < 60


def test_it_is_bounded() -> None:
    """By the characters of the sealed values; one that is large is not kept at all."""
    recent = Recent(60.0, most=1000)
    recent.on = True
    for number in range(500):
        recent.keep(PLACE, f"{number:0100}", "a")
        assert len(recent) <= 22
    recent.keep(PLACE, "a" * (LONGEST + 1), "a")
    assert recent.get((PLACE, "a" * (LONGEST + 1))) is None
    assert recent.get((PLACE, f"{499:0100}")) == "a"


def test_an_erasure_forgets_all_of_it() -> None:
    """So that the process that erased a handle opens nothing of it any more."""
    keys = HandleKeys()
    keys.recent.on = True
    key = keys.key(ANA, new_salt(), ROOT)
    payload = {"content": {"text": "Hello"}, "from": "+15550001111"}
    sealed = seal_payload("MessageReceived", payload, key)
    keys.drop(ANA)
    keys.recent.expire()
    assert open_payload("MessageReceived", sealed, lambda _: None, Memo(keys.recent)) == {"content": {}}


def test_what_cannot_be_stored_is_found_as_it_is_stored() -> None:
    """NUL and lone surrogates are replaced, also in what is kept."""
    keys = HandleKeys()
    keys.recent.on = True
    key = keys.key(ANA, new_salt(), ROOT)
    sealed = seal_payload("MessageReceived", {"from": "a\0b", "to": "c\ud800d", "content": {"text": "é"}}, key)

    def unneeded(_: bytes) -> None:
        raise AssertionError("it was kept")

    opened = open_payload("MessageReceived", sealed, unneeded, Memo(keys.recent))
    assert opened == {"from": "a\ufffdb", "to": "c\ufffdd", "content": {"text": "é"}}
