"""Requests that come at the same time share a transaction, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import pytest
import pytest_asyncio

from app.api import accepting
from app.api.accepting import Accepting
from app.api.batch import Item
from app.api.taken import Taken
from app.clients.configured import Client
from app.sending.incoming import new_message
from app.sending.requests import read_request
from app.settings import Settings, Source
from sql import Accepted, EventStore, KeptAnswer, NewMessage
from tests.conftest import Dsns
from tests.integration.sender import Sender
from tests.integration.serving import serving
from tests.support.keys import SEAL

URL = "/v1/messages"
NEW, SAME, OTHER = Accepted(True, True), Accepted(False, True), Accepted(False, False)


class Noted(Taken):
    """A request that notes how its messages were taken."""

    accepted: Sequence[Accepted] = ()

    def judge(self, accepted: Sequence[Accepted]) -> KeptAnswer | None:
        """Judge as Taken does, and note what was accepted."""
        self.accepted = accepted
        return super().judge(accepted)


class Desk:
    """Accepts requests on a real store. Its transactions are noted, and wait while `open` is clear."""

    def __init__(self, store: EventStore, client: Client) -> None:
        self.store, self._client = store, client
        self.taking = Accepting(store)
        self.transactions: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fail: Callable[[list[str]], Exception | None] = lambda ids: None
        own = store.accept

        async def accept(messages: Any, answer: Any = None, replays: Any = ()) -> list[Accepted]:
            self.transactions.append([message.message_id for message in messages])
            await self.open.wait()
            if error := self.fail(self.transactions[-1]):
                raise error
            return await own(messages, answer, replays)

        store.accept = accept  # type: ignore[method-assign]

    async def ask(self, id: str, text: str = "Hello", *, alone: bool = False, key: str | None = None) -> list[Accepted]:
        """Request one message; return how it was accepted."""
        document = {"messageId": id, "to": "+15551234567", "channel": "sms", "body": text}
        request = read_request(document, client_id="default")
        message = new_message(request, self._client, datetime.now(UTC))
        assert isinstance(message, NewMessage)
        item = Item("$", document, request)
        taken = Noted([item], False, "default", key, b"f" * 32)
        taken.offer(item, message)
        await self.taking.accept(taken, alone=alone)
        return [*taken.accepted]


async def all_at_once(*asked: Coroutine[Any, Any, Any]) -> list[Any]:
    """Make the requests at the same time; return for each how it was accepted, or what was raised."""
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest_asyncio.fixture
async def desk(postgres_dsn: Dsns) -> AsyncIterator[Desk]:
    """Yield a desk with a client that sends SMS."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        sender = Sender(store)
        await sender.configure()
        yield Desk(store, await sender.clients.client("default"))


async def test_what_comes_together_shares_a_transaction(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simultaneous requests are written in their order, up to `MOST` messages in a transaction."""
    monkeypatch.setattr(accepting, "MOST", 20)
    ids = [f"m-{number}" for number in range(50)]
    assert await all_at_once(*map(desk.ask, ids)) == [[NEW]] * 50
    assert desk.transactions == [ids[:20], ids[20:40], ids[40:]]
    for id in ids:
        assert await desk.store.message("default", id) is not None


async def test_each_request_hears_of_its_own(desk: Desk) -> None:
    """A request learns whether its message was accepted before, and whether another message has its id, also if that
    one is of the same transaction."""
    assert await desk.ask("before") == [NEW]
    found = await all_at_once(desk.ask("m"), desk.ask("m"), desk.ask("m", "Another"), desk.ask("before"), desk.ask("n"))
    assert found == [[NEW], [SAME], [OTHER], [SAME], [NEW]]
    assert len(desk.transactions) == 2


async def test_what_cannot_be_written_fails_alone(desk: Desk) -> None:
    """If the database refuses one request, the others of its transaction are written without it."""
    desk.fail = lambda ids: psycopg.DataError("bad") if "bad" in ids else None
    found = await all_at_once(desk.ask("a"), desk.ask("bad"), desk.ask("b"))
    assert isinstance(found.pop(1), psycopg.DataError) and found == [[NEW]] * 2
    assert desk.transactions == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]
    assert await desk.store.message("default", "bad") is None


async def test_one_key_twice_in_a_transaction(desk: Desk) -> None:
    """Of two requests with one key the first is answered; the second fails, as an equal request was answered, and that
    answer is kept for it."""
    found = await all_at_once(desk.ask("m", key="key"), desk.ask("m", key="key"), desk.ask("n", key="another"))
    assert isinstance(found.pop(1), psycopg.errors.UniqueViolation) and found == [[NEW]] * 2
    for key, id in (("key", b"m"), ("another", b"n")):
        kept = await desk.store.recall("default", key, b"")
        assert kept is not None and kept.answer is not None and orjson.loads(kept.answer)["messageId"].encode() == id


async def test_a_database_that_is_away_is_asked_once(desk: Desk) -> None:
    """While the database is away, it is asked once for all waiting requests, not once for each."""
    desk.fail = lambda ids: psycopg.OperationalError("away")
    found = await all_at_once(*(desk.ask(f"m-{number}") for number in range(20)))
    assert {type(each) for each in found} == {psycopg.OperationalError} and len(desk.transactions) == 1


async def test_who_does_not_wait_is_not_written(desk: Desk) -> None:
    """A request that was given up before its transaction began is not written; those that waited with it are."""
    desk.open.clear()
    busy = []
    for number in range(accepting.AT_ONCE):
        busy.append(asyncio.create_task(desk.ask(f"busy-{number}")))
        await asyncio.sleep(0.01)
    gone, kept = asyncio.create_task(desk.ask("gone")), asyncio.create_task(desk.ask("kept"))
    await asyncio.sleep(0.01)
    gone.cancel()
    desk.open.set()
    assert await asyncio.gather(*busy, kept) == [[NEW]] * (accepting.AT_ONCE + 1)
    assert desk.transactions == [["busy-0"], ["busy-1"], ["kept"]]
    assert await desk.store.message("default", "gone") is None


async def test_who_asks_again_at_once_does_not_wait_for_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that comes at the moment at which the last transaction ended begins the next one."""
    monkeypatch.setattr(accepting, "AT_ONCE", 1)
    async with asyncio.timeout(10):
        assert [await desk.ask(id) for id in ("a", "b", "c")] == [[NEW]] * 3


async def test_a_large_one_goes_by_itself(desk: Desk) -> None:
    """A large request has a transaction of its own: it waits for no other request, and none waits for it."""
    assert await all_at_once(desk.ask("a"), desk.ask("large", alone=True), desk.ask("b")) == [[NEW]] * 3
    assert sorted(desk.transactions) == [["a", "b"], ["large"]]


async def test_posts_at_the_same_time_are_each_answered(postgres_dsn: Dsns) -> None:
    """Over HTTP each request with an Idempotency-Key is answered, and a repeat gets the answer of the first."""
    account = {"account_sid": "AC1", "auth_token": "hidden", "sender": "+15550001111"}
    settings = Settings(sources={"twilio": Source.model_validate(account)})
    async with serving(postgres_dsn.service, settings, ("messages:read", "messages:write")) as api:

        async def post(number: int) -> tuple[int, str]:
            headers, body = {"idempotency-key": f"key-{number}"}, {"channel": "sms", "to": "+15551234567", "body": "Hi"}
            answer = await api.http.post(URL, json=body, headers=headers)
            return answer.status_code, answer.json()["messageId"]

        first = await asyncio.gather(*map(post, range(100)))
        assert {status for status, _ in first} == {202} and len({id for _, id in first}) == 100
        assert await asyncio.gather(*map(post, range(100))) == first
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        query = "SELECT count(*), count(DISTINCT xid) FROM threadline.events WHERE type = 'MessageRequested'"
        row = await (await connection.execute(query)).fetchone()
        assert row is not None and row[0] == 100 and row[1] < 50
