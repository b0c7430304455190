"""Answers are believed for a moment, and asked for once."""

import asyncio

import pytest

from app.clients.ttl_cache import TtlCache


class Store:
    """Counts the questions; answers once `gate` is open."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.now = 0.0
        self.fails = False

    async def ask(self, key: str) -> str:
        """The key, and how many questions there were."""
        self.asked.append(key)
        number = len(self.asked)
        await self.gate.wait()
        if self.fails:
            raise OSError("away")
        return f"{key}{number}"

    def remembered(self, most: int = 4096) -> TtlCache[str, str]:
        """What remembers this one's answers for two seconds."""
        return TtlCache(self.ask, 2.0, most, lambda: self.now)


async def test_many_at_once_ask_once() -> None:
    """And again when the answer is too old."""
    store = Store()
    known = store.remembered()
    waiting = [asyncio.create_task(known.get("a")) for _ in range(50)]
    await asyncio.sleep(0)
    store.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"a1"}
    store.now = 1.9
    assert await known.get("a") == "a1"
    store.now = 2.0
    assert await known.get("a") == "a2"
    assert known.last("a") == "a2" and known.last("b") is None
    assert store.asked == ["a", "a"]


async def test_an_error_is_for_those_who_wait_and_is_not_remembered() -> None:
    """The next one asks anew."""
    store = Store()
    known, store.fails = store.remembered(), True
    store.gate.set()
    results = await asyncio.gather(known.get("a"), known.get("a"), return_exceptions=True)
    assert [type(one) for one in results] == [OSError, OSError]
    store.fails = False
    assert await known.get("a") == "a2"


async def test_who_goes_away_takes_nothing_from_the_others() -> None:
    """The first asker is cancelled; the second has its answer."""
    store = Store()
    known = store.remembered()
    first, second = asyncio.create_task(known.get("a")), asyncio.create_task(known.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    store.gate.set()
    assert await second == "a1"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert store.asked == ["a"]


async def test_what_is_forgotten_while_it_is_asked_is_asked_anew() -> None:
    """The answer under way may be what was before the change."""
    store = Store()
    known = store.remembered()
    before = asyncio.create_task(known.get("a"))
    await asyncio.sleep(0)
    known.forget("a")
    after = asyncio.create_task(known.get("a"))
    await asyncio.sleep(0)
    store.gate.set()
    assert (await before, await after) == ("a1", "a2")
    assert await known.get("a") == "a2"


async def test_no_more_is_kept_than_was_allowed() -> None:
    """The one that was not asked for longest goes."""
    store = Store()
    known = store.remembered(2)
    store.gate.set()
    for key in ("a", "b", "a", "c"):
        await known.get(key)
    assert (known.last("a"), known.last("b"), known.last("c")) == ("a1", None, "c3")
