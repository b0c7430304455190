"""Requests take turns: a few in each round of the event loop, each caller's in its turn, large answers in pieces."""

import asyncio
from typing import Any

from webhooks.body import Message
from webhooks.turns import PIECE, Turns


async def most_at_once(turns: Turns, pages: int, weight: int = 1) -> int:
    """Ask for so many pages at once; return the most that one round began, once all have begun."""
    begun = 0

    async def page() -> None:
        nonlocal begun
        assert await turns.begin("one", weight=weight)
        begun += 1

    asked = [asyncio.create_task(page()) for _ in range(pages)]
    at_once = []
    async with asyncio.timeout(5):
        while begun < pages:
            before = begun
            await asyncio.sleep(0)
            at_once.append(begun - before)
    await asyncio.gather(*asked)
    return max(at_once)


async def test_a_round_begins_a_few_pages() -> None:
    """However many are asked for at once."""
    assert await most_at_once(Turns(most=2), 20) == 2


async def test_of_heavy_ones_a_round_begins_fewer() -> None:
    """One of them takes the place of as many as it weighs, and none waits for ever."""
    assert await most_at_once(Turns(most=4), 5, weight=100) == 1


async def test_callers_alternate() -> None:
    """One that asks for one page does not wait for all of one that asks for many."""
    turns, order = Turns(most=1), []

    async def page(caller: str) -> None:
        await turns.begin(caller)
        order.append(caller)

    await asyncio.gather(*(page("many") for _ in range(20)), page("few"), page("few"))
    assert max(at for at, caller in enumerate(order) if caller == "few") < 6


async def test_too_many_are_refused_at_once_but_for_others() -> None:
    """So that what waits is limited, even if those who asked have gone. Room that was given back is there again."""
    turns = Turns(most=1, waiting=4)
    greedy = [asyncio.create_task(turns.begin("greedy")) for _ in range(10)]
    await asyncio.sleep(0)
    assert await turns.begin("other")
    assert sum(await asyncio.gather(*greedy)) < 10
    assert all([await turns.begin("greedy") for _ in range(10)])


async def test_who_has_gone_takes_no_turn() -> None:
    """And none after it waits for ever."""
    turns = Turns(most=1)
    tasks = [asyncio.create_task(turns.begin("one")) for _ in range(6)]
    await asyncio.sleep(0)
    for task in tasks[1:4]:
        task.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [end for end in ends if end is True] == [True] * 3
    assert await asyncio.wait_for(turns.begin("one"), 5)


async def test_a_large_answer_is_written_in_pieces() -> None:
    """All of it, with the end marked at the last one."""
    turns, sent = Turns(2), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    body = bytes(range(256)) * (PIECE // 100)
    write = turns.written(send, "one")
    start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
    await write(start)
    await write({"type": "http.response.body", "body": body})
    assert sent[0] == start and b"".join(each["body"] for each in sent[1:]) == body
    assert max(len(each["body"]) for each in sent[1:]) == PIECE
    assert [each["more_body"] for each in sent[1:]] == [True] * (len(sent) - 2) + [False]
