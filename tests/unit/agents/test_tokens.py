"""Access tokens: bought once for all who wait, kept until shortly before their end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from adapters import fcm, smtp
from adapters.contract import HttpCall, Outgoing, Response, Token, Values
from agents.transport.oauth import Tokens
from agents.transport.unanswered import NoAnswer

ANSWER = b'{"access_token": "bought-%d", "expires_in": 3600, "token_type": "Bearer"}'


class Shop:
    """An adapter that buys, the provider that sells, and the clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        self.calls: list[tuple[Outgoing, bool]] = []
        self.answer: Response | NoAnswer | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.tokens = Tokens(self.carry, lambda: self.now)
        send = fcm.ADAPTER.send
        assert send is not None
        token = Token(build=self.token_request, read=fcm.read_token)
        self.adapter = replace(fcm.ADAPTER, name="shop", send=replace(send, token=token))

    def token_request(self, values: Values, now: datetime) -> HttpCall:
        """As an adapter's."""
        return HttpCall("POST", "https://auth.example.com/token")

    async def carry(self, outgoing: Outgoing, values: Values, *, trusted: bool) -> Response:
        """As the transport's."""
        self.calls.append((outgoing, trusted))
        await self.open.wait()
        if isinstance(self.answer, NoAnswer):
            raise self.answer
        return self.answer or Response(200, {}, ANSWER % len(self.calls))

    async def token(self, account: str = "a", **more: Any) -> str:
        """What a message would be sent with."""
        prepared = await self.tokens.prepared(self.adapter, {"service_account": (account,)}, **more)
        return prepared["access_token"][0]


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    """A shop that is open."""
    made = Shop()
    yield made
    await made.tokens.close()


async def test_one_is_bought_however_many_wait(shop: Shop) -> None:
    """And kept for those who come later; another account, or another trust, has its own."""
    shop.open.clear()
    waiting = [asyncio.create_task(shop.token()) for _ in range(50)]
    await asyncio.sleep(0)
    shop.open.set()
    assert set(await asyncio.gather(*waiting)) == {"bought-1"}
    assert await shop.token() == "bought-1"
    assert await shop.token("b") == "bought-2"
    assert await shop.token("a", trusted=True) == "bought-3"
    assert [trusted for _, trusted in shop.calls] == [False, False, True]


async def test_it_is_kept_until_shortly_before_its_end(shop: Shop) -> None:
    """A minute before, another is bought."""
    await shop.token()
    shop.now += timedelta(seconds=3539)
    assert await shop.token() == "bought-1"
    shop.now += timedelta(seconds=1)
    assert await shop.token() == "bought-2"


@pytest.mark.parametrize("answer", [Response(401), Response(200, {}, b"{}"), NoAnswer("lost", True)])
async def test_a_failure_reaches_all_who_wait_and_is_not_kept(shop: Shop, answer: Any) -> None:
    """Of the message nothing has left, whatever became of the purchase; the next to come tries anew."""
    shop.answer = answer
    failures = await asyncio.gather(*(shop.token() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(each, NoAnswer) and not each.may_have_arrived for each in failures)
    assert len(shop.calls) == 1
    shop.answer = None
    assert await shop.token() == "bought-2"


async def test_who_gives_up_does_not_take_it_from_the_others(shop: Shop) -> None:
    """The one who asked first is cancelled, and the second has its token."""
    shop.open.clear()
    first, second = asyncio.create_task(shop.token()), asyncio.create_task(shop.token())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    shop.open.set()
    assert await second == "bought-1"
    assert first.cancelled()


async def test_who_needs_none_is_left_alone(shop: Shop) -> None:
    """An adapter that buys none, and an account that has one."""
    values = {"host": ("mail.example.com",)}
    assert await shop.tokens.prepared(smtp.ADAPTER, values) is values
    given = {"access_token": ("own",)}
    assert await shop.tokens.prepared(shop.adapter, given) is given
    assert shop.calls == []
