"""Calls that nobody answered, on a real PostgreSQL: what the provider says when it is asked decides whether it is sent again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from adapters import ADAPTERS
from adapters.contract import HttpCall, Outgoing, Response
from adapters.reading.own_ids import marked
from adapters.simulating import Call, Sent
from agents.sender import guards
from agents.transport import NoAnswer
from app.settings import Settings
from app.simulator import api_of
from schemas.events import Event, Handle
from sql import EventStore
from tests.conftest import Dsns
from tests.fixtures import accounts
from tests.integration.sender import Provider, Sender
from tests.support.adapted import asked_after, sending
from tests.support.keys import SEAL

SETTINGS = {**accounts("postmark").settings, "sender": "shop@example.com"}


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Postmark:
    """The simulated provider; `lose` says which sends (counted from 1) lose their answer, and whether before or after they
    were taken; `dumb`: it cannot be asked just now."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.lose: dict[int, str] = {}
        self.sends = self.asked = 0
        self.dumb = False

    async def carry(self, outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        """Instead of the transport."""
        assert isinstance(outgoing, HttpCall)
        simulated = api_of("postmark")
        assert simulated.look_up is not None
        call = Call(
            outgoing.method, outgoing.url.removeprefix("https://api.postmarkapp.com"), outgoing.headers, outgoing.body
        )
        if (reported := simulated.look_up(call, SETTINGS, self.sent)) is not None:
            self.asked += 1
            return Response(503 if self.dumb else reported.status, reported.headers, reported.body)
        self.sends += 1
        lost = self.lose.get(self.sends)
        if lost != "before":
            taken = simulated.accept(call, SETTINGS, f"{self.sends:032x}")
            self.sent += taken
        if lost:
            raise NoAnswer("lost", True)
        reply = simulated.reply(taken)
        return Response(reply.status, reply.headers, reply.body)


class Office(Sender):
    """A sender by Postmark."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.postmark = Postmark()
        self.provider = self.postmark  # type: ignore[assignment]
        self.settings.sources |= Settings.model_validate({"sources": {"postmark": SETTINGS}}).sources

    async def configure(self, **more: Any) -> None:
        """The client's configuration: e-mail by Postmark, then SMS."""
        channels = [{"channel": "email", "account": "postmark"}, {"channel": "sms", "account": "twilio"}]
        await super().configure(**{"channels": channels} | more)


@pytest_asyncio.fixture
async def office(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """One that asks soon."""
    monkeypatch.setitem(ADAPTERS, "postmark", asked_after("postmark", 0.2))
    monkeypatch.setattr(guards, "CHECKS", 3)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        made = Office(store)
        await made.configure()
        yield made


async def test_what_was_taken_without_an_answer_is_found_and_not_sent_again(office: Office) -> None:
    """Under the provider's id, so that its webhooks join."""
    office.postmark.lose = {1: "after"}
    async with office.at_work():
        await office.ask(channel="email")
        row = await office.until("sent")
    assert (office.postmark.sends, office.postmark.asked) == (1, 1)
    assert (row["provider_message_id"], row["doubted"]) == (office.postmark.sent[0].id, False)
    assert sorted(await office.types()) == ["MessageDelayed", "MessageRequested", "UserMessageSent"]


async def test_what_was_not_taken_is_sent_again(office: Office) -> None:
    """And is then on the provider's list once."""
    office.postmark.lose = {1: "before"}
    async with office.at_work():
        await office.ask(channel="email")
        row = await office.until("sent")
    assert (office.postmark.sends, office.postmark.asked, len(office.postmark.sent)) == (2, 1, 1)
    assert row["tries"] == 1


async def test_a_provider_that_cannot_say_is_asked_again_then_somebody_decides(office: Office) -> None:
    """Nothing is sent again meanwhile; the explanation says what is waited for."""
    office.postmark.lose, office.postmark.dumb = {1: "after"}, True
    async with office.at_work():
        await office.ask(channel="email")
        row = await office.until("unanswered")
        assert (office.postmark.sends, office.postmark.asked, row["checks"]) == (1, 3, 0)
        assert "release" in row["cause"]
        assert await office.store.release("default", "m", True, "test") == "unanswered"
        await office.until("sent")
    assert len(office.postmark.sent) == 2  # as whoever released it wished


async def test_a_client_that_prefers_two_to_none_has_it_sent_again(office: Office) -> None:
    """But only after the provider was asked in vain."""
    await office.configure(unanswered="resend")
    office.postmark.lose, office.postmark.dumb = {1: "after"}, True
    async with office.at_work():
        await office.ask(channel="email")
        await office.until("sent")
    assert (office.postmark.asked, len(office.postmark.sent)) == (3, 2)


@pytest.mark.parametrize("taken", [True, False])
async def test_a_worker_that_died_in_a_call_leaves_a_question(office: Office, taken: bool) -> None:
    """The next one puts it, and one that dies while asking leaves it open."""
    await office.ask(channel="email")
    (row,) = await office.store.claim(1, 0.2, {})
    assert await office.store.begin([(str(row["id"]), row["claims"], "email", "postmark")])
    if taken:
        extra = {"Metadata": {"threadline_id": marked("m")}, "MessageStream": "outbound"}
        office.postmark.sent.append(
            Sent("pm-1", "email", "ana@example.com", "shop@example.com", "Hello", "m", extra=extra)
        )
    await asyncio.sleep(0.3)
    async with office.at_work():
        await office.until("retrying")
    await asyncio.sleep(0.3)
    assert office.postmark.asked == 0
    for _ in range(2):
        (row,) = await office.store.claim(1, 0, {})
        assert row["checks"] == 1 and row["doubt_since"] is not None
    async with office.at_work():
        await office.until("sent")
    assert (office.postmark.sends, len(office.postmark.sent)) == (0 if taken else 1, 1)


async def test_what_the_provider_tells_meanwhile_needs_no_question(office: Office) -> None:
    """Its webhook came before the question."""
    office.postmark.lose = {1: "after"}
    async with office.at_work():
        await office.ask(channel="email")
        await office.until("retrying")
    id = office.postmark.sent[0].id
    reported = Event(
        "UserMessageSent",
        "postmark",
        f"{id}:sent",
        channel="email",
        direction="outbound",
        provider_message_id=id,
        echoed_message_id="m",
        handle=Handle("email", "ana@example.com"),
        per_recipient=True,
        payload={"messageId": "m"},
    )
    await office.store.append([(reported, "default", now(), None)])
    async with office.at_work():
        await office.until("sent")
    assert (office.postmark.sends, office.postmark.asked) == (1, 0)


async def test_cancelled_while_it_was_asked_about_is_not_sent_again(office: Office) -> None:
    """Whatever the provider would say."""
    office.postmark.lose = {1: "before"}
    async with office.at_work():
        await office.ask(channel="email")
        await office.until("retrying")
        event = Event("MessageCancelled", "threadline", "m:cancelled", message_id="m")
        assert await office.store.cancel("default", "m", (event, "default", now(), None)) == "retrying"
        await asyncio.sleep(0.5)
    await office.until("cancelled")
    assert (office.postmark.sends, office.postmark.asked) == (1, 0)


async def test_a_doubt_is_judged_by_the_account_that_made_the_call(office: Office) -> None:
    """It was claimed for the first channel, whose recipient had opted out, and left by the second: whose provider cannot
    be asked, and takes a repetition for another message."""
    office.postmark.dumb = True
    await office.ask("both")
    out = Event("RecipientUnsubscribed", "postmark", "out", channel="email", handle=Handle("email", "ana@example.com"))
    await office.store.append([(out, "default", now(), None)])
    (row,) = await office.store.claim(1, 0.2, {})
    assert row["account"] == "postmark"
    assert await office.store.begin([(str(row["id"]), row["claims"], "sms", "twilio")])
    await asyncio.sleep(0.3)
    async with office.at_work():
        kept = await office.until("unanswered", "both")
    assert (kept["channel"], kept["account"]) == ("sms", "twilio")
    assert (office.postmark.sends, office.postmark.asked) == (0, 0)
    assert await office.store.release("default", "both", True, "test") == "unanswered"
    assert [each["account"] for each in await office.store.claim(1, 60, {})] == ["twilio"]


@pytest.mark.parametrize("change", ["account", "expired"])
async def test_a_key_counts_for_the_account_that_has_it(office: Office, change: str) -> None:
    """A call by Resend went unanswered; it is not made again by another provider, nor called expired."""
    await office.configure(channels=[{"channel": "email", "account": "resend"}], retry={"attempts": 9, "first": 0.4})
    resend = Provider()
    resend.answer = lambda name, number: _lost()
    own = office.postmark.carry

    async def carry(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        assert isinstance(outgoing, HttpCall)
        return await (resend.carry if "resend" in outgoing.url else own)(outgoing, values, trusted=trusted)

    office.postmark.carry = carry  # type: ignore[method-assign]
    soon = {"sendBefore": (now() + timedelta(seconds=1)).isoformat()} if change == "expired" else {}
    async with office.at_work():
        await office.ask(channel="email", **soon)
        await office.until("retrying")
        if change == "account":
            await office.configure()
        row = await office.until("unanswered")
    assert row["account"] == "resend" and resend.calls and office.postmark.sends == 0


@pytest.mark.parametrize(("remembered", "state", "calls"), [(24 * 3600.0, "sent", 1), (60.2, "unanswered", 0)])
async def test_a_key_counts_for_as_long_as_the_provider_remembers_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, remembered: float, state: str, calls: int
) -> None:
    """A repeat must be there before it is forgotten; later the client decides."""
    monkeypatch.setitem(ADAPTERS, "resend", sending("resend", idempotent_for=remembered))
    await office.configure(channels=[{"channel": "email", "account": "resend"}])
    office.postmark.carry = (resend := Provider()).carry  # type: ignore[method-assign]
    await office.ask(channel="email")
    (row,) = await office.store.claim(1, 0.2, {})
    assert await office.store.begin([(str(row["id"]), row["claims"], "email", "resend")])
    await asyncio.sleep(0.3)
    async with office.at_work():
        await office.until(state)
    assert len(resend.calls) == calls


def _lost() -> Response:
    raise NoAnswer("lost", True)
