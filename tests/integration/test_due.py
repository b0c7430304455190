"""The worker's sending half on a real PostgreSQL, with a provider of a few lines: what leaves when, and what follows."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio

from adapters.contract import Outgoing, Response
from agents.transport import NoAnswer
from schemas.events import Event, Handle
from sql import EventStore, Reference
from tests.conftest import Dsns
from tests.integration.sender import OK, TO, Sender
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def sender(postgres_dsn: Dsns) -> AsyncIterator[Sender]:
    """Yield a sender on a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        made = Sender(store)
        await made.configure()
        yield made


async def test_a_message_is_sent_and_reported(sender: Sender) -> None:
    """A message is sent by the first channel, and one interaction has both the request and the send."""
    async with sender.at_work():
        await sender.ask()
        row = await sender.until("sent")
    assert (row["provider_message_id"], row["delivery"], row["channel"]) == ("re-1", "sent", "email")
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["accepted"]
    assert await sender.types() == ["MessageRequested", "UserMessageSent"]


async def test_a_sender_that_rests_claims_only_where_something_is_due(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is claimed while nothing is due; what becomes due without a word to this process is sent nevertheless."""
    claims = 0

    async def counted(*given: Any) -> list[dict[str, Any]]:
        nonlocal claims
        claims += 1
        return await EventStore.claim(sender.store, *given)

    monkeypatch.setattr(sender.store, "claim", counted)
    async with sender.at_work():
        await asyncio.sleep(1.0)
        before = claims
        await asyncio.sleep(1.5)
        assert claims == before  # seven looks
        await sender.ask()  # nothing wakes it: the test has no listener
        await sender.until("sent")
        assert claims > before


async def test_a_refusal_for_good_goes_to_the_next_channel_where_it_is_wanted(sender: Sender) -> None:
    """After a permanent refusal the next channel is tried if the client's configuration or the request asks for it."""
    sender.provider.answer = lambda name, number: Response(422, {}, b'{"name": "x"}') if name == "resend" else OK[name]
    async with sender.at_work():
        await sender.ask("alone")
        assert (await sender.until("failed", "alone"))["delivery"] == "rejected"
        await sender.ask("further", fallback=True)
        row = await sender.until("sent", "further")
    assert (row["channel"], row["provider_message_id"], row["tried"], row["delivery"]) == (
        "sms",
        "SM1",
        ["email"],
        "sent",
    )
    assert sorted(await sender.types("further")) == ["MessageDelayed", "MessageRequested", "UserMessageSent"]


async def test_what_is_not_delivered_in_time_goes_to_the_next_channel(sender: Sender) -> None:
    """The next channel is tried after the time without delivery, or at once if the provider reports a failure; a
    delivered message stays sent."""
    await sender.configure(fallback={"after": 1})
    async with sender.at_work():
        await sender.ask("slow")
        assert (await sender.until("watched", "slow"))["channel"] == "email"
        assert (await sender.until("sent", "slow"))["channel"] == "sms"
        await sender.configure(fallback={"after": 3600})
        await sender.ask("failing", to={"email": "ben@example.com", "sms": "+15551234568"})
        sender.provider.answer = lambda name, number: Response(
            200, {}, orjson.dumps({"id": f"x{number}", "sid": f"x{number}"})
        )
        await sender.until("watched", "failing")
        bounced = Event(
            "MessageBounced",
            "resend",
            "b1",
            channel="email",
            direction="outbound",
            message_id="failing",
            payload={"messageId": "failing"},
        )
        await sender.store.append([(bounced, "default", datetime.now(UTC), None)])
        await sender.store.recheck_watched([Reference("default", "resend", "failing")])
        assert (await sender.until("sent", "failing"))["channel"] == "sms"


async def test_nothing_is_sent_after_an_opt_out_and_the_client_is_notified(sender: Sender) -> None:
    """An opt-out stops a message, also if it came while the message was held, and the client gets the reason."""
    later = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await sender.ask(channel="sms", notBefore=later)
    async with sender.at_work():
        await sender.until("held")
        stop = Event(
            "RecipientUnsubscribed",
            "twilio",
            "stop",
            channel="sms",
            direction="inbound",
            handle=Handle("phone", TO["sms"]),
        )
        await sender.store.append([(stop, "default", datetime.now(UTC), None)])
        row = await sender.until("failed")
    assert row["error"]["reason"] == "opted_out" and sender.provider.calls == []
    assert "MessageRejected" in await sender.types()


async def test_a_refusal_by_the_provider_teaches_the_opt_out(sender: Sender) -> None:
    """Twilio's 21610: the next message is not even tried."""
    sender.provider.answer = lambda name, number: Response(400, {}, b'{"code": 21610, "message": "unsubscribed"}')
    async with sender.at_work():
        await sender.ask("first", channel="sms")
        await sender.until("failed", "first")
        await sender.ask("second", channel="sms")
        await sender.until("failed", "second")
    assert sender.provider.calls == ["twilio"]


async def test_too_many_rests_the_account_and_costs_no_try(sender: Sender) -> None:
    """An account may be rate limited more often than there are tries, and no message fails."""
    sender.provider.answer = lambda name, number: (
        Response(429, {"retry-after": "0"}, b"{}") if number <= 5 else OK[name]
    )
    async with sender.at_work():
        await sender.ask()
        row = await sender.until("sent")
    assert len(row["attempts"]) == 6 and row["tries"] == 0


async def test_an_expired_message_is_not_sent(sender: Sender) -> None:
    """An expired message is not sent, and its failure is reported."""
    await sender.ask(sendBefore=(datetime.now(UTC) + timedelta(seconds=0.3)).isoformat())
    await asyncio.sleep(0.4)
    async with sender.at_work():
        row = await sender.until("expired")
    assert sender.provider.calls == [] and row["delivery"] == "expired"


async def test_no_answer_is_asked_again_where_the_provider_can_tell(sender: Sender) -> None:
    """A call without an answer is looked up where the provider can be asked. Otherwise the message is held, and settled
    by what the provider reports later."""

    def lost(name: str, number: int) -> Response:
        if number <= 2:
            raise NoAnswer("lost", True)
        return OK[name]

    sender.provider.answer = lost
    async with sender.at_work():
        await sender.ask("mail", channel="email")
        assert len((await sender.until("sent", "mail"))["attempts"]) == 3
        sender.provider.calls.clear()
        await sender.ask("text", channel="sms")
        row = await sender.until("unanswered", "text")
        assert "release" in row["cause"] and row["attempts"][0]["answeredAt"] is None
        reported = Event(
            "UserMessageSent",
            "twilio",
            "SM9:sent",
            channel="sms",
            direction="outbound",
            provider_message_id="SM9",
            message_id="text",
            payload={"messageId": "text"},
        )
        await sender.store.append([(reported, "default", datetime.now(UTC), None)])
        assert await sender.store.sweep() == 1
        await sender.until("sent", "text")


async def test_a_lost_account_holds_its_messages(sender: Sender) -> None:
    """Messages of a missing account wait until it is configured again. The cause is reported as the client's fault, and
    the sender stays healthy."""
    await sender.ask()
    sender.settings.sources.clear()
    async with sender.at_work():
        row = await sender.until("retrying")
    assert "client default has no account resend that sends" in row["cause"] and row["tries"] == 0
    assert "UnknownAccount" in sender.health.tenants["default", "account resend"]
    assert not sender.health.failures


async def test_a_doubt_is_not_forgotten_while_the_message_waits(sender: Sender) -> None:
    """If a worker died during a call, the doubt stays although the window has closed or the account is gone: the
    provider may have accepted the message."""
    for id, change in (("window", "window"), ("account", "account")):
        await sender.ask(id, channel="sms")
        (row,) = await sender.store.claim(1, 0.2, {})
        assert await sender.store.begin([(str(row["id"]), row["claims"], "sms", "twilio")])
        await asyncio.sleep(0.3)
        if change == "window":
            await sender.configure(windows={"sms": {"daily": ["00:00-00:01"]}}, zone="Pacific/Kiritimati")
        else:
            sender.settings.sources.pop("twilio")
        async with sender.at_work():
            await sender.until("unanswered", id)
    assert sender.provider.calls == []


async def cancel_during_the_call(sender: Sender) -> None:
    """Cancel the message `m` as its client, while a worker has claimed it."""
    row = (Event("MessageCancelled", "threadline", "m:cancelled", message_id="m"), "default", datetime.now(UTC), None)
    assert await sender.store.cancel("default", "m", row) == "sending"


async def test_cancelled_while_it_was_accepted_it_stays_sent(sender: Sender) -> None:
    """The provider has it, and no other channel follows, though one would if it were not delivered in time."""
    await sender.configure(fallback={"after": 3600})
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        begun.set()
        await go.wait()
        return OK["resend"]

    sender.provider.carry = slow  # type: ignore[method-assign]
    async with sender.at_work():
        await sender.ask()
        await begun.wait()
        await cancel_during_the_call(sender)
        go.set()
        message = await sender.until("sent")
        await asyncio.sleep(2)
    assert (message["delivery"], message["channel"]) == ("sent", "email")
    assert await sender.types() == ["MessageRequested", "UserMessageSent"]


async def test_cancelled_while_it_was_tried_is_not_tried_again(sender: Sender) -> None:
    """A message that was cancelled during a failed try ends with the next decision."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        begun.set()
        await go.wait()
        return Response(503, {}, b"{}")

    sender.provider.carry = slow  # type: ignore[method-assign]
    async with sender.at_work():
        await sender.ask()
        await begun.wait()
        await cancel_during_the_call(sender)
        go.set()
        await sender.until("cancelled")
    assert "MessageCancelled" in await sender.types()


async def test_a_stop_finishes_what_was_begun(sender: Sender) -> None:
    """A worker that is stopped leaves no attempt without its outcome."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        begun.set()
        await go.wait()
        return OK["resend"]

    sender.provider.carry = slow  # type: ignore[method-assign]
    await sender.ask()
    async with sender.at_work():
        await begun.wait()
        asyncio.get_running_loop().call_later(0.2, go.set)
    row = await sender.store.message("default", "m")
    assert row is not None and row["state"] == "sent"
