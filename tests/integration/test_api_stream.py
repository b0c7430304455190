"""Server-sent events on a real database and a real server: live, resumable, bounded, and gone when nobody listens."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio

from app.api import stream
from app.api.cursors import Place
from app.api.tailer import POLL, Tailer
from app.http.access import Access
from app.http.tokens import id_of
from schemas.events import Handle
from sql.statements import statement
from tests.conftest import Dsns
from tests.integration.serving import Served, event, listening, serving

BEN = Handle("phone", "+15557654321")


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database where Ana has written once."""
    async with serving(postgres_dsn.service) as api:
        await api.append(event("MessageReceived", "first"))
        yield api


@pytest_asyncio.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it over the network."""
    async with listening(served) as client:
        yield client


@dataclass
class Told:
    """One event of a stream; a comment has neither data nor id."""

    id: str | None = None
    event: str | None = None
    data: Any = None


class Reader:
    """Reads a stream as the standard says."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, wanted: str | None = None) -> Told:
        """The next block; of event type `wanted` where that is given."""
        async with asyncio.timeout(5):
            while True:
                reported = await self._block()
                if wanted is None or reported.event == wanted:
                    return reported

    async def interactions(self, count: int) -> list[Told]:
        """The next so many interactions."""
        return [await self.next("interaction") for _ in range(count)]

    async def ends(self) -> None:
        """The stream ends by itself."""
        async with asyncio.timeout(5):
            async for _ in self._lines:
                pass

    async def _block(self) -> Told:
        reported = Told()
        async for line in self._lines:
            if not line:
                return reported
            name, _, value = line.partition(":")
            if name == "data":
                reported.data = httpx.Response(200, content=value.strip()).json()
            elif name in ("id", "event"):
                setattr(reported, name, value.strip())
        raise EOFError


@asynccontextmanager
async def follow(http: httpx.AsyncClient, path: str, after: str | None = None) -> AsyncIterator[Reader]:
    """A stream that has begun."""
    headers = {"last-event-id": after} if after is not None else {}
    async with http.stream("GET", f"{path}/stream", headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reader(response)


async def begun(reader: Reader) -> str:
    """The id that a new stream gives at once, to resume from."""
    while (reported := await reader.next()).id is None:
        pass
    return reported.id


async def soon(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within a few seconds."""
    for _ in range(300):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


async def freed(served: Served) -> bool:
    """Whether, within a moment, nothing of a stream is left."""
    return await soon(lambda: not served.api.tailer.reading and not served.api.streams)


async def test_change_is_streamed_live(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new interaction, then its next state, each whole, as the timeline has it, within a few polls."""
    path, store, polls, found = await served.path(), served.store, 0, list[int]()
    own_horizon, own_changes = store.horizon, store.changes_since

    async def horizon() -> int:
        nonlocal polls
        polls += 1
        return await own_horizon()

    async def changes_since(**given: Any) -> list[dict[str, Any]]:
        if changes := await own_changes(**given):
            found.append(polls)
        return changes

    async with follow(http, path) as reader:
        await begun(reader)
        await served.append(event("UserMessageSent", "SM1"))
        monkeypatch.setattr(store, "horizon", horizon)
        monkeypatch.setattr(store, "changes_since", changes_since)
        sent = await reader.next("interaction")
        assert found[0] * POLL < 0.5
        await served.append(event("MessageDelivered", "SM1", 1))
        delivered = await reader.next("interaction")
    assert (sent.data["delivery"], delivered.data["delivery"]) == ("sent", "delivered")
    page = (await http.get(path)).json()["interactions"]
    assert delivered.data in page
    assert sent.id is not None and delivered.id is not None and sent.id != delivered.id


async def test_other_customers_changes_are_not_streamed(served: Served, http: httpx.AsyncClient) -> None:
    """What Ben writes reaches Ben's stream, and not Ana's."""
    await served.append(event("MessageReceived", "ben", handle=BEN))
    async with follow(http, await served.path()) as ana, follow(http, await served.path(BEN)) as ben:
        await begun(ana)
        await begun(ben)
        await served.append(event("MessageReceived", "for ben", handle=BEN), event("MessageReceived", "for ana"))
        assert (await ben.next("interaction")).data["providerMessageId"] == "for ben"
        assert (await ana.next("interaction")).data["providerMessageId"] == "for ana"


async def test_resumed_stream_tells_what_was_missed_then_goes_on(served: Served, http: httpx.AsyncClient) -> None:
    """From the last id that was seen: each interaction that changed since, once, as it is now, then what is new."""
    path = await served.path()
    async with follow(http, path) as reader:
        await begun(reader)
        await served.append(event("UserMessageSent", "SM1"))
        seen = await reader.next("interaction")
    for n in range(0, 450, 3):  # more than is read at once
        await served.append(*(event("MessageReceived", f"missed{m}", m) for m in range(n, n + 3)))
    await served.append(event("MessageDelivered", "SM1", 1))
    async with follow(http, path, seen.id) as reader:
        missed = [reported.data["providerMessageId"] for reported in await reader.interactions(451)]
        assert missed == [*(f"missed{n}" for n in range(450)), "SM1"]
        await served.append(event("MessageReceived", "new"))
        assert (await reader.next("interaction")).data["providerMessageId"] == "new"


async def test_stream_resumed_after_each_event_sees_every_change(served: Served, http: httpx.AsyncClient) -> None:
    """A caller who is cut off again and again, while events come, ends with the state of the timeline."""
    path, states, last = await served.path(), {}, ""
    async with follow(http, path) as reader:
        last = await begun(reader)

    async def write() -> None:
        for n in range(40):
            await served.append(event("UserMessageSent", f"SM{n % 10}", n), event("MessageReceived", f"in{n}", n))
            await asyncio.sleep(0.005)
        await served.append(event("MessageReceived", "end"))

    writing = asyncio.create_task(write())
    while "end" not in states:
        async with follow(http, path, last) as reader:
            for reported in await reader.interactions(1):
                assert reported.id is not None
                last, states[reported.data["providerMessageId"]] = reported.id, reported.data
    await writing
    page = (await http.get(path, params={"limit": 200})).json()["interactions"]
    assert states == {one["providerMessageId"]: one for one in page if one["providerMessageId"] != "first"}


async def test_what_commits_late_is_not_skipped(served: Served, http: httpx.AsyncClient, postgres_dsn: Dsns) -> None:
    """While an older transaction that appends runs, nothing newer is streamed, live or resumed, as it could still add
    something before it; afterwards all of it is."""
    path = await served.path()
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as older:
        async with follow(http, path) as reader:
            start = await begun(reader)
            await older.execute(statement("writing"))
            await served.append(event("MessageReceived", "newer"))
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4):
                    await reader.next("interaction")
        async with follow(http, path, start) as reader:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.4):
                    await reader.next("interaction")
        async with follow(http, path, start) as reader:
            while (await reader.next()).data is None:
                await older.commit()
                break
            assert (await reader.next("interaction")).data["providerMessageId"] == "newer"


async def test_event_id_that_is_none_is_a_bad_request(served: Served, http: httpx.AsyncClient) -> None:
    """400, so that the caller notices, rather than a stream that leaves something out."""
    for text in ("x", "1", "1-2-3", "-1-1", "9" * 30 + "-1"):
        response = await http.get(f"{await served.path()}/stream", headers={"last-event-id": text})
        assert (response.status_code, response.json()["parameter"]) == (400, "Last-Event-ID")


async def test_event_id_of_another_log_is_gone(served: Served, http: httpx.AsyncClient) -> None:
    """An id past the log's end comes from another log: 410, upon which a caller reads the timeline again."""
    response = await http.get(f"{await served.path()}/stream", headers={"last-event-id": f"{2**60}-1"})
    assert response.status_code == 410
    assert response.headers["content-type"] == "application/problem+json"


async def test_silent_stream_gives_signs_of_life(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment comes at each interval without a change."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    async with follow(http, await served.path()) as reader:
        await begun(reader)
        for _ in range(3):
            assert await reader.next() == Told()


async def test_hanging_up_frees_everything(served: Served, http: httpx.AsyncClient) -> None:
    """When the callers are gone, no stream is counted, and the log is not read any more."""
    path = await served.path()
    async with follow(http, path) as one, follow(http, path) as two:
        await begun(one)
        await begun(two)
        assert served.api.streams == {"default": 2}
        assert served.api.tailer.reading
    assert await freed(served)


async def test_number_of_streams_is_bounded(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's own bound is a 429, the process's a 503, both with the time to come again."""
    path = await served.path()
    async with follow(http, path) as reader:
        await begun(reader)
        for bound, status in (("STREAMS_OF_CLIENT", 429), ("STREAMS", 503)):
            with monkeypatch.context() as patch:
                patch.setattr(stream, bound, 1)
                response = await http.get(f"{path}/stream")
            assert (response.status_code, response.headers["retry-after"]) == (status, "5")
    assert await freed(served)


async def test_stream_does_not_outlive_its_key(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revoked key's stream ends at one of the next signs of life."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.05)
    served.api.access = Access(served.store, ttl=0.05)
    token = await served.key("timeline:read")
    http.headers["authorization"] = f"Bearer {token}"
    async with follow(http, await served.path()) as reader:
        await begun(reader)
        await served.store.revoke_api_key(id_of(token))
        await reader.ends()


async def test_process_that_ends_lets_its_streams_end(served: Served, http: httpx.AsyncClient) -> None:
    """At shutdown the API ends every stream in order, so that nothing waits for them."""
    async with follow(http, await served.path()) as reader:
        await begun(reader)
        served.api.close()
        await reader.ends()
    assert await freed(served)


async def test_many_streams_of_many_customers_hear_of_their_own(served: Served, http: httpx.AsyncClient) -> None:
    """Fifty callers at once, each of whom gets the one change that is theirs."""
    people = [Handle("phone", f"+1555000{n:04}") for n in range(50)]
    await served.append(*(event("MessageReceived", f"hello{n}", handle=one) for n, one in enumerate(people)))

    async def hear(number: int) -> bool:
        async with follow(http, await served.path(people[number])) as reader:
            await begun(reader)
            ready.release()
            reported = await reader.next("interaction")
            return bool(reported.data["providerMessageId"] == f"news{number}")

    ready = asyncio.Semaphore(0)
    hearing = [asyncio.create_task(hear(number)) for number in range(50)]
    for _ in people:
        await ready.acquire()
    await served.append(*(event("MessageReceived", f"news{n}", handle=one) for n, one in enumerate(people)))
    assert all(await asyncio.gather(*hearing))


async def test_streams_begin_again_after_the_database_was_away(
    served: Served, http: httpx.AsyncClient, postgres_dsn: Dsns
) -> None:
    """Connections that are cut under a stream cost it nothing: what is appended next is streamed."""
    async with follow(http, await served.path()) as reader:
        await begun(reader)
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await asyncio.sleep(0.3)
        for _ in range(20):
            try:
                await served.append(event("MessageReceived", "after"))
                break
            except psycopg.OperationalError:
                await asyncio.sleep(0.1)
        assert (await reader.next("interaction")).data["providerMessageId"] == "after"


async def test_caller_who_reads_nothing_is_let_go(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stays connected and does not read holds a place for a bounded time only."""
    monkeypatch.setattr(stream, "SEND", 0.2)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    address = ("127.0.0.1", http.base_url.port)
    await asyncio.get_running_loop().sock_connect(raw, address)
    head = f"GET {await served.path()}/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(raw, head.encode())
    assert await soon(lambda: served.api.tailer.reading)
    await asyncio.sleep(0.2)  # past the first blocks
    content = {"content": {"text": "x" * 200_000}}
    for n in range(40):
        await served.append(event("MessageReceived", f"long{n}", n, payload=content))
    assert await freed(served)
    raw.close()


async def test_stream_that_cannot_begin_is_a_503(
    served: Served, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the log cannot be read in time, the caller gets a 503 with Retry-After, and nothing is left of the
    stream."""
    monkeypatch.setattr(stream, "JOIN", 0.05)

    class Stuck(Tailer):
        async def _step(self, place: Place | None) -> Place:
            await asyncio.sleep(3600)
            raise AssertionError

    served.api.tailer = Stuck(served.store)
    response = await http.get(f"{await served.path()}/stream")
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert response.headers["content-type"] == "application/problem+json"
    assert await freed(served)
