"""Several messages in one call, on a real PostgreSQL: each has its own outcome, whatever becomes of the call."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest_asyncio

from adapters.contract import HttpCall, Outgoing, Response
from adapters.simulating import Call
from agents.transport import NoAnswer
from app.settings import Settings
from app.simulator import api_of
from sql import EventStore
from tests.conftest import Dsns
from tests.fixtures import accounts
from tests.integration.sender import Sender
from tests.support.keys import SEAL

SETTINGS = {**accounts("mailjet").settings, "sender": "shop@example.com"}
API = "https://api.mailjet.com"


class Office(Sender):
    """A sender by Mailjet, played here; `sizes`: how many messages each call had."""

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.settings.sources |= Settings.model_validate({"sources": {"mailjet": SETTINGS}}).sources
        self.sizes: list[int] = []
        self.refuse: Any = lambda size: None
        self.provider.carry = self.carry  # type: ignore[method-assign]

    async def configure(self, **more: Any) -> None:
        """The client's configuration: e-mail by Mailjet."""
        await super().configure(**{"channels": [{"channel": "email", "account": "mailjet"}]} | more)

    async def carry(self, outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        """Instead of the transport."""
        assert isinstance(outgoing, HttpCall)
        self.sizes.append(len(orjson.loads(outgoing.body)["Messages"]))
        if (refused := self.refuse(self.sizes[-1])) is not None:
            return refused  # type: ignore[no-any-return]
        simulated = api_of("mailjet")
        call = Call(outgoing.method, outgoing.url.removeprefix(API), outgoing.headers, outgoing.body)
        reply = simulated.reply(simulated.accept(call, SETTINGS, f"{len(self.sizes) * 1000:032x}"))
        return Response(reply.status, reply.headers, reply.body)

    async def ids(self, count: int, state: str = "sent") -> set[str]:
        """Under which ids the provider has the messages, once all are in that state."""
        return {(await self.until(state, f"m-{number}"))["provider_message_id"] for number in range(count)}


@pytest_asyncio.fixture
async def office(postgres_dsn: Dsns) -> AsyncIterator[Office]:
    """On a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        made = Office(store)
        await made.configure()
        yield made


async def ask(office: Office, count: int) -> None:
    """That many, before anybody sends."""
    for number in range(count):
        await office.ask(f"m-{number}", to=f"a{number}@example.com")


async def test_what_is_claimed_together_leaves_together(office: Office) -> None:
    """No call has more than the provider takes, and each message its own id."""
    await ask(office, 60)
    async with office.at_work():
        assert len(await office.ids(60)) == 60
    assert office.sizes == [50, 10]


async def test_a_batch_that_is_refused_for_one_of_it_is_sent_one_by_one(office: Office) -> None:
    """So that the others leave."""
    office.refuse = lambda size: Response(400, {}, b'{"ErrorMessage": "bad"}') if size > 1 else None
    await ask(office, 5)
    async with office.at_work():
        assert len(await office.ids(5)) == 5
    assert sorted(office.sizes) == [1, 1, 1, 1, 1, 5]


async def test_a_report_about_all_recipients_counts_for_each_message(office: Office) -> None:
    """Too many: each is tried again, and none by itself at once."""
    office.refuse = lambda size: Response(429, {"retry-after": "1"}, b"{}") if len(office.sizes) == 1 else None
    await ask(office, 5)
    async with office.at_work():
        await office.ids(5)
    assert office.sizes[0] == 5 and sum(office.sizes) == 10


async def test_a_batch_without_an_answer_leaves_each_in_doubt(office: Office) -> None:
    """None is sent again before the provider was asked."""

    def lost(size: int) -> None:
        raise NoAnswer("lost", True)

    office.refuse = lost
    await ask(office, 5)
    async with office.at_work():
        for number in range(5):
            row = await office.until("retrying", f"m-{number}")
            assert row["checks"] == 1 and [each["outcome"] for each in row["attempts"]] == ["unanswered"]
    assert office.sizes == [5]


async def test_a_batch_that_fails_is_one_failure_of_its_account(office: Office) -> None:
    """A dozen messages in one call that fails do not make a dozen failures, which would rest the account."""
    office.refuse = lambda size: Response(503, {}, b"{}") if len(office.sizes) == 1 else None
    await ask(office, 12)
    async with office.at_work():
        await office.ids(12)
    assert office.sizes[0] == 12
    waits = await office.store.waits("default", "m-0")
    assert waits is not None and waits["open_until"] is None
