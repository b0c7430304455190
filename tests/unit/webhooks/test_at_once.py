"""Which webhooks are taken without a task of their own, and that no other is changed by being looked at."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.contract import Request
from tests.support.waiting import until
from tests.unit.webhooks import doors
from tests.unit.webhooks.doors import URL, a_door, message, sms, status
from webhooks.at_once import ENOUGH, MOST
from webhooks.recognise import Verdict


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests of this module are offered whole."""
    monkeypatch.setattr(doors, "AT_ONCE", True)


async def test_authentic_ones_are_taken() -> None:
    """Posts with a good signature, of one source or another, also unsigned ones where that is accepted, and clients' TwiML."""
    async with a_door() as door:
        for post in (sms(), message(), status()):
            assert (await door.post(post)).status == 200
        accepted = await door.ask("POST", "/webhooks/aggregate/open", {}, b"[]")
        assert accepted is not None
        assert accepted.status == 200
        assert door.taken == 4
        assert len(door.keep.kept) == 4
        assert door.door.keeping.requests == 0
        assert door.door.counters.answered[200] == 4
        assert sum(door.door.counters.latency.counts) == 4
        assert sum(door.door.counters.kept.values()) == 4


async def test_others_are_left() -> None:
    """Forged and unknown ones, handshakes, encoded and large bodies, and all while requests are traced."""
    async with a_door(max_body=200) as door:
        forged = sms()
        forged.headers["x-twilio-signature"] = "AAAA"
        assert (await door.post(forged)).status == 401
        assert (await door.post(sms(), "/webhooks/aggregate/nobody")).status == 404
        encoded = sms()
        encoded.headers["content-encoding"] = "gzip"
        assert (await door.post(encoded)).status == 415
        large = message()
        large.body += b"&More=" + b"x" * 200
        assert (await door.post(large)).status == 413
        challenge = "hub.mode=subscribe&hub.verify_token=test-verify-token&hub.challenge=7"
        shaken = await door.ask("GET", "/webhooks/aggregate/whatsapp_cloud", query=challenge)
        assert shaken is not None
        assert shaken.body == b"7"
        assert door.taken == 0
    async with a_door(share=1.0) as door:
        assert (await door.post(sms())).status == 200
        assert door.taken == 0


async def test_nobody_is_verified_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged request costs the door one verification: the verdict goes along to the application."""
    async with a_door() as door:
        asked: list[str] = []
        recognise = door.door.sources.recognise

        def noting(request: Request, *given: Any, **more: Any) -> Any:
            asked.append(request.url)
            return recognise(request, *given, **more)

        monkeypatch.setattr(door.door.sources, "recognise", noting)
        forged = sms()
        forged.headers["x-twilio-signature"] = "AAAA"
        assert (await door.post(forged)).status == 401
        assert asked == [URL]


async def test_an_error_while_keeping_is_a_500() -> None:
    """And is told to the operator without the webhook's content; the room is given back."""
    async with a_door() as door:

        async def broken(value: bytes, traceparent: str | None) -> None:
            raise RuntimeError("a bug")

        door.keep._put = broken  # type: ignore[method-assign]
        with capture_logs() as logs:
            assert (await door.post(sms())).status == 500
        assert any(line["event"] == "cannot keep a webhook" and line["error"] == "RuntimeError" for line in logs)
        assert door.door.keeping.requests == 0
        assert door.door.counters.kept == {}


async def test_a_bug_before_it_is_kept_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room is given back, the application comes upon it again, and others that came with it are taken."""
    async with a_door() as door:
        record = door.door.record

        def broken(verdict: Verdict, *more: Any) -> Any:
            if b"SM" + b"0" * 31 + b"3" in verdict.request.body:
                raise RuntimeError("a bug")
            return record(verdict, *more)

        monkeypatch.setattr(door.door, "record", broken)
        asked = await asyncio.gather(*(door.post(sms(number=n)) for n in range(1, 6)), return_exceptions=True)
        assert [isinstance(each, RuntimeError) for each in asked] == [False, False, True, False, False]
        assert door.taken == 4
        assert door.door.keeping.requests == 0


async def test_more_than_one_go_takes() -> None:
    """All of very many that came together are answered, a part of them at a time: others run in between."""
    async with a_door(max_in_flight=1000) as door:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        answered = await asyncio.gather(*(door.post(sms(number=number)) for number in range(10 * MOST)))
        counting.cancel()
        assert {each.status for each in answered} == {200}
        assert len({webhook.id for webhook, _ in door.keep.kept}) == door.taken == 10 * MOST
        assert turns >= 10


async def test_of_large_ones_a_go_takes_fewer() -> None:
    """They take longer to verify, and others run in between."""
    async with a_door(max_in_flight=1000) as door:
        rounds: list[int] = []

        async def count() -> None:
            while True:
                rounds.append(door.door.keeping.requests)
                await asyncio.sleep(0)

        door.keep.held_up = asyncio.Event()
        body = b"[" + b"1," * (ENOUGH // 4) + b"1]"
        counting = asyncio.create_task(count())
        asked = [asyncio.create_task(door.ask("POST", "/webhooks/aggregate/open", {}, body)) for _ in range(MOST)]
        await until(lambda: door.door.keeping.requests == MOST)
        counting.cancel()
        door.keep.held_up.set()
        assert {each.status for each in await asyncio.gather(*asked) if each is not None} == {200}
        assert max(after - before for before, after in pairwise(rounds)) <= 2


async def test_many_at_once_are_refused_as_ever() -> None:
    """Where there is no room: 429, at once, and none of those before is forgotten."""
    async with a_door(max_in_flight=3) as door:
        door.keep.held_up = asyncio.Event()
        asked = [asyncio.create_task(door.post(sms(number=number))) for number in range(5)]
        done, waiting = await asyncio.wait(asked, timeout=0.05)
        assert sorted([task.result().status for task in done]) == [429, 429]
        door.keep.held_up.set()
        assert [(await task).status for task in waiting] == [200] * 3
        assert door.taken == 5
