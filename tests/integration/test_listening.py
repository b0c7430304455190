"""Connections over real sockets: what one may send, how long it may take, and who goes where there are too many. All of it holds where
the application serves each request, and where whole ones are taken before it is asked."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import orjson
import pytest
import uvicorn

from app.embedded import ports
from app.http.listening.connections import Bounds, Connections
from app.http.listening.prompt import Whole
from app.http.listening.protocol import PIPELINED, protocol_of
from tests.integration.serving import Server
from tests.support.waiting import until
from webhooks.callers import Proxies

OTHER = "127.0.0.2"
#: Set by the fixture `taking`.
TAKING = False
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@dataclass
class Listening:
    """A server with one small application, and what it has seen."""

    port: int
    table: Connections
    seen: list[dict[str, Any]] = field(default_factory=list)
    large: bytes = b"x" * (4 << 20)
    wait: asyncio.Event = field(default_factory=asyncio.Event)
    taken: int = 0

    def take(self, offered: Whole) -> None:
        """Does the same for a request that came whole, without a task but for `/wait`; `/left` is not for it."""
        if offered.scope["path"] == "/left":
            asyncio.get_running_loop().call_soon(offered.leave)
            return
        self.taken += 1
        self.seen.append(dict(offered.scope) | {"headers": list(offered.scope["headers"]), "size": len(offered.body)})
        if offered.scope["path"] == "/wait":
            asyncio.create_task(self.wait.wait()).add_done_callback(lambda _: self.answer(offered))
        else:
            self.answer(offered)

    def answer(self, offered: Whole) -> None:
        """Answers a request that was taken."""
        body = self.large if offered.scope["path"] == "/large" else b"%d" % len(offered.body)
        offered.answer({"status": 200, "headers": [(b"content-length", b"%d" % len(body))]}, {"body": body})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Reads the body, then answers with its length; `/large` with much, `/wait` when it may, `/early` unread."""
        size, more = 0, scope["path"] != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            more = message["more_body"]
        self.seen.append(dict(scope) | {"headers": list(scope["headers"]), "size": size})
        if scope["path"] == "/wait":
            await self.wait.wait()
        body = self.large if scope["path"] == "/large" else b"%d" % size
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def open(self, *parts: bytes, host: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection from one of this machine's addresses, over which these bytes went."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(host, 0))
        for part in parts:
            writer.write(part)
            await writer.drain()
        return reader, writer

    async def talk(self, *parts: bytes, pause: float = 0.0, host: str = "127.0.0.1") -> bytes:
        """Send these, a pause after each; all that comes back until the other side closes."""
        reader, writer = await self.open(host=host)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        try:
            return await asyncio.wait_for(reader.read(), 15)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def ask(self, request: bytes = GET, host: str = "127.0.0.1") -> bytes:
        """One request on a connection of its own; the status."""
        reader, writer = await self.open(request, host=host)
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        return line[9:12]


@pytest.fixture(params=[False, True], ids=["application", "taken"], autouse=True)
def taking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether whole requests are taken."""
    given: bool = request.param
    monkeypatch.setitem(globals(), "TAKING", given)
    return given


@asynccontextmanager
async def listening(proxies: Proxies | None = None, **bounds: Any) -> AsyncIterator[Listening]:
    """The server, on a free port, with these bounds."""
    table = Connections(Bounds(**bounds))
    app = Listening(ports.free(), table)
    http = protocol_of(table, proxies or Proxies(), take=app.take if TAKING else None)
    config = uvicorn.Config(app, port=app.port, http=http, ws="none", log_config=None, lifespan="off", backlog=2048)
    server = Server(config)
    table.start()
    serve = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.up.wait(), 10)
    try:
        yield app
    finally:
        app.wait.set()
        server.should_exit = True
        for members in list(table._open.values()):
            for member in list(members):
                member.drop()
        await asyncio.wait_for(serve, 10)
        await table.stop()


def head(*lines: str, path: str = "/") -> bytes:
    """A POST's head, as far as these lines."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", *lines]).encode()


async def steadily(app: Listening, parts: list[bytes]) -> bytes:
    """Send these a tenth of a second apart; the status."""
    reader, writer = await app.open()
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.1)
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return line[9:12]


async def test_a_head_within_its_bounds() -> None:
    """100 headers, 31 kB of them, a target of 8 kB: all of it in one piece, in two, or byte by byte at its end."""
    async with listening() as app:
        large = head(*(f"x-{n}: {'v' * 300}" for n in range(98)), "content-length: 3") + b"\r\n\r\nabc"
        assert len(large) > 30_000
        assert await app.ask(large) == b"200"
        assert await app.ask(b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nhost: x\r\n\r\n") == b"200"
        reader, writer = await app.open(large[:20_000])
        for at in range(20_000, len(large), 500):
            writer.write(large[at : at + 500])
            await asyncio.sleep(0)
        assert (await reader.readline())[9:12] == b"200"
        writer.close()
        # What comes with the head is no part of it.
        assert await app.ask(head("content-length: 200000") + b"\r\n\r\n" + b"x" * 200_000) == b"200"
        assert app.seen[-1]["size"] == 200_000


async def test_a_head_beyond_them() -> None:
    """Too many headers, too many bytes of them, one without an end, a target too long, lines before the request: each is
    refused with its status and a closed connection, and the next caller is served."""
    async with listening() as app:
        many = head(*(f"x-{n}: 1" for n in range(101))) + b"\r\n\r\n"
        large = head(*(f"x-{n}: {'v' * 1000}" for n in range(40))) + b"\r\n\r\n"
        target = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"
        endless = [head("x: "), *[b"v" * 1000] * 4000]
        numberless = [head() + b"\r\n", *[b"x-y: 1\r\n" * 100] * 1000]
        blank = [b"\r\n" * 30_000]
        for parts, status in (
            ([many], b"431"), ([large], b"431"), ([target], b"414"), (endless, b"431"), (numberless, b"431"), (blank, b"431"),
        ):  # fmt: skip
            answered = await app.talk(*parts)
            assert answered[9:12] == status, (status, parts[0][:50])
            assert b"connection: close" in answered
        assert app.seen == []
        assert await app.ask() == b"200"
        await until(lambda: app.table.count <= 1)


async def test_chunks_without_end() -> None:
    """What frames a body is bounded as its head is: extensions of chunks, trailers."""
    async with listening() as app:
        chunked = head("transfer-encoding: chunked") + b"\r\n\r\n"
        extended = await app.talk(chunked, b"1;" + b"a" * 15_000, b"b" * 15_000, b"c" * 15_000, b"\r\nx\r\n0\r\n\r\n")
        trailed = await app.talk(chunked, b"1\r\nx\r\n0\r\n", *[b"x-y: " + b"1" * 1000 + b"\r\n"] * 100, b"\r\n")
        assert extended[9:12] in (b"400", b"431")  # the parser has a bound of its own for the first
        assert trailed[9:12] == b"431"
        small = b"".join(b"1\r\nx\r\n" for _ in range(50_000)) + b"0\r\n\r\n"
        assert await app.ask(chunked + small) == b"200"
        assert app.seen[-1]["size"] == 50_000


async def test_trailers_are_no_headers() -> None:
    """What follows a body does not come to be among what stood before it (RFC 9110 section 6.5.1)."""
    async with listening() as app:
        chunked = head("transfer-encoding: chunked") + b"\r\n\r\n1\r\nx\r\n0\r\nx-signature: forged\r\n\r\n"
        assert await app.ask(chunked) == b"200"
        assert [name for name, _ in app.seen[0]["headers"]] == [b"host", b"transfer-encoding"]


async def test_slow_heads() -> None:
    """A head that is not whole in time is a 408, however it trickles; a connection without a byte just ends."""
    async with listening(head_timeout=0.4) as app:
        trickle = [bytes((byte,)) for byte in head("x-y: " + "1" * 60)]
        silent, started, trickled = await asyncio.gather(
            app.talk(), app.talk(b"GET / HT"), app.talk(*trickle, pause=0.02)
        )
        assert silent == b""
        assert started[9:12] == trickled[9:12] == b"408"
        await until(lambda: app.table.count == 0)


async def test_slow_bodies() -> None:
    """A body comes at a rate, after a moment's grace, and in a time; what keeps to both is taken."""
    async with listening(body_grace=0.4, body_rate=5000, body_timeout=2.5) as app:
        start = head("content-length: 40000") + b"\r\n\r\n"
        slow = [start, *[b"x" * 100] * 20]
        steady = [start, *[b"x" * 2000] * 20]
        endless = [head("content-length: 4000000") + b"\r\n\r\n", *[b"x" * 2000] * 60]
        never, slowly, well, long = await asyncio.gather(
            app.talk(start), app.talk(*slow, pause=0.1), steadily(app, steady), app.talk(*endless, pause=0.05)
        )
        assert [answer[9:12] for answer in (never, slowly, long)] == [b"408"] * 3
        assert well == b"200"
        assert [each["size"] for each in app.seen] == [40_000]
        await until(lambda: app.table.held == 0)


async def test_who_sends_on_after_a_refusal() -> None:
    """Is listened to for a moment, and then no more: each kind of refusal ends its connection."""
    async with listening(head_timeout=0.3, body_grace=0.3, body_timeout=0.3) as app:
        starts = [
            b"GET / HT",
            head("content-length: 1000") + b"\r\n\r\n",
            b"nonsense\r\n\r\n",
            head("content-length: 1000", path="/early") + b"\r\n\r\n",
        ]
        opened = [await app.open(start) for start in starts]
        writers = [writer for _, writer in opened]

        async def drip() -> None:
            while True:
                for writer in writers:
                    if not writer.is_closing():
                        writer.write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        await until(lambda: app.table.count == 0, within=10)
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        for writer in writers:
            writer.close()


async def test_idle_connections_end() -> None:
    """After an answer a connection may rest for so long, not longer; one that is being served is left alone."""
    async with listening(idle_timeout=0.4, head_timeout=0.4) as app:
        waiting, writer = await app.open(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await app.talk(GET)).count(b"HTTP/1.1 200") == 1
        await asyncio.sleep(1)
        app.wait.set()
        assert (await waiting.readline())[9:12] == b"200"
        writer.close()


async def test_a_process_that_was_held_up_ends_no_connection_for_it() -> None:
    """The time in which it could not listen is not counted against who was waiting for it."""
    async with listening(head_timeout=1.0) as app:
        reader, writer = await app.open()
        await until(lambda: app.table.count == 1)
        time.sleep(2.0)  # noqa: ASYNC251 - holds the process up
        await asyncio.sleep(0.3)  # the clock looks
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_does_not_read() -> None:
    """An answer that its caller does not take is given up, with its connection."""
    async with listening(write_timeout=0.5) as app:
        _, writer = await app.open(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n" * 4)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await until(lambda: app.table.count == 1)
        await until(lambda: app.table.count == 0)
        assert app.table.ended["unread"] == 1
        writer.close()


async def test_what_follows_on_one_connection() -> None:
    """Requests that are sent before the answer are answered in their order; after one that cannot be read the connection
    ends, with the answers to those before it and no other; of very many so many are answered as may wait."""
    async with listening() as app:
        numbered = b"".join(head(f"content-length: {n}") + b"\r\n\r\n" + b"x" * n for n in range(5))
        reader, writer = await app.open(numbered)
        answers = b"".join([await reader.readuntil(b"\r\n\r\n%d" % n) for n in range(5)])
        assert answers.count(b"HTTP/1.1 200") == 5
        writer.close()
        broken = await app.talk(GET * 3 + b"\x16\x03\x01 nonsense\r\n\r\n")
        assert (broken.count(b"HTTP/1.1 200"), broken.count(b"HTTP/1.1")) == (3, 3)
        waited = asyncio.create_task(app.talk(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + b"nonsense\r\n\r\n"))
        await asyncio.sleep(0.2)
        app.wait.set()
        assert (await waited).count(b"HTTP/1.1") == (await waited).count(b"HTTP/1.1 200") == 1
        flood = await app.talk(GET * 5000)
        assert flood.count(b"HTTP/1.1 200") == PIPELINED + 1
        assert len(app.seen) < 100


async def test_whole_requests_are_taken(taking: bool) -> None:
    """A request in one piece is taken; one in two pieces, one whose connection closes after it, and one that is left are
    the application's. Each has one answer; what is taken is answered in one piece, with the headers that all answers have."""
    async with listening() as app:
        reader, writer = await app.open(head("content-length: 3") + b"\r\n\r\nabc")
        answer = await reader.readuntil(b"\r\n\r\n3")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert (b"x-content-type-options: nosniff" in answer) is taking
        assert app.taken == taking
        writer.write(head("content-length: 3") + b"\r\n\r\na")
        await asyncio.sleep(0.1)
        writer.write(b"bc")
        await reader.readuntil(b"\r\n\r\n3")
        writer.write(head("content-length: 1", path="/left") + b"\r\n\r\nx")
        await reader.readuntil(b"\r\n\r\n1")
        assert (await app.talk(head("content-length: 1", "connection: close") + b"\r\n\r\nx"))[9:12] == b"200"
        assert (await app.talk(b"GET / HTTP/1.0\r\nhost: x\r\n\r\n"))[9:12] == b"200"
        assert app.taken == taking
        assert [each["size"] for each in app.seen] == [3, 3, 1, 1, 0]
        writer.close()


async def test_the_caller_leaves_before_the_answer() -> None:
    """Its request ends all the same, and others are served."""
    async with listening() as app:
        _, writer = await app.open(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET)
        await until(lambda: bool(app.seen))
        writer.close()
        await until(lambda: app.table.count == 0)
        app.wait.set()
        await asyncio.sleep(0.1)
        assert await app.ask() == b"200"


async def test_a_server_that_stops_answers_first() -> None:
    """A request that is being served when the server stops is answered, and then its connection ends."""
    async with listening() as app:
        reader, writer = await app.open(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: bool(app.seen))
        [[member]] = [list(members) for members in app.table._open.values()]
        member.shutdown()  # type: ignore[attr-defined]  # as the server does with each
        app.wait.set()
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_an_upgrade_is_not_made() -> None:
    """Who asks for one is answered as without it; with a body it is refused, as it is not known what is body."""
    async with listening() as app:
        upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c"
        assert (await app.talk(f"GET / HTTP/1.1\r\nhost: x\r\n{upgrade}\r\n\r\n".encode()))[9:12] == b"200"
        smuggled = head(upgrade, f"content-length: {len(GET)}") + b"\r\n\r\n"
        assert (await app.talk(smuggled + GET))[9:12] == b"400"
        assert (await app.talk(smuggled, GET, pause=0.1))[9:12] == b"400"
        assert len(app.seen) == 1


async def test_answered_before_it_was_whole() -> None:
    """A body that still comes after its answer is thrown away, at the same rate as others; no second answer is given."""
    async with listening(body_grace=0.3, body_timeout=0.6) as app:
        start = head("content-length: 1000", path="/early") + b"\r\n\r\n"
        answered = await app.talk(start, b"x" * 10)
        assert answered.count(b"HTTP/1.1") == 1
        assert await app.ask(start + b"x" * 1000) == b"200"


async def test_idle_ones_make_room() -> None:
    """Where there are too many connections those of the address that has most go, the longest idle first; what another
    has, or what is being served, stays."""
    # No time of theirs ends here: what goes, goes to make room.
    async with listening(connections=60, head_timeout=600, idle_timeout=600) as app, AsyncExitStack() as stack:
        mine = [await app.open(GET) for _ in range(3)]
        for reader, _ in mine:
            await reader.readuntil(b"\r\n\r\n0")
        served, writer = await app.open(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n", host=OTHER)
        await until(lambda: app.seen[-1]["path"] == "/wait")
        for _ in range(300):
            _, other = await app.open(host=OTHER)
            stack.callback(other.close)
        await until(lambda: app.table.ended["full"] >= 244)
        for n in range(20):
            assert await app.ask() == b"200", n
            assert await app.ask(host="127.0.0.3") == b"200", n
        for reader, own in mine:  # still there
            own.write(GET)
            assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200")
            own.close()
        app.wait.set()
        assert (await served.readline())[9:12] == b"200"
        writer.close()
        assert app.table.count <= 60


async def test_all_from_one_address() -> None:
    """Behind a proxy all callers have one address: then too those which wait longest go, and a new request is served."""
    async with listening(connections=60) as app, AsyncExitStack() as stack:
        for n in range(300):
            _, other = await app.open(*[b"GET / HT"] * (n % 2))
            stack.callback(other.close)
        for n in range(40):
            assert await app.ask() == b"200", n


async def test_unfinished_bodies_make_room() -> None:
    """Where unfinished bodies take too much memory, those of the caller who has most are refused, not the newcomer's."""
    async with listening(unfinished_bytes=1_000_000, body_grace=60) as app, AsyncExitStack() as stack:
        mine, writer = await app.open(head("content-length: 50000") + b"\r\n\r\n" + b"x" * 40_000)
        refused: list[Awaitable[bytes]] = []
        for _ in range(30):
            reader, other = await app.open(head("content-length: 100000") + b"\r\n\r\n" + b"x" * 99_999, host=OTHER)
            stack.callback(other.close)
            refused.append(reader.read())
        await until(lambda: app.table.ended["bodies"] >= 15)
        assert await app.ask(head("content-length: 90000") + b"\r\n\r\n" + b"x" * 90_000, host="127.0.0.3") == b"200"
        writer.write(b"x" * 10_000)
        assert (await mine.readline())[9:12] == b"200"
        writer.close()
        first = await asyncio.wait_for(refused[0], 10)
        assert first[9:12] == b"429"
        assert b"retry-after: 1" in first
        assert app.table.held <= 1_000_000
        for each in refused[1:]:
            each.close()  # type: ignore[attr-defined]


async def test_a_trusted_proxys_callers() -> None:
    """Behind a trusted proxy its header distinguishes the callers; anybody else's does not."""
    proxies = Proxies([ip_network("127.0.0.0/31")])
    async with listening(proxies, unfinished_bytes=1_000_000, body_grace=60) as app, AsyncExitStack() as stack:

        async def post(caller: str, sent: int, host: str = "127.0.0.1") -> asyncio.StreamReader:
            forwarded = f"x-forwarded-for: 198.51.100.200, {caller}"
            start = head(forwarded, "content-length: 100000") + b"\r\n\r\n"
            reader, writer = await app.open(start + b"x" * sent, host=host)
            stack.callback(writer.close)
            return reader

        small = await post("198.51.100.1", 60_000)
        readers = [await post("203.0.113.9", 99_999) for _ in range(12)]
        await until(lambda: app.table.ended["bodies"] >= 3)
        assert (await readers[0].readline())[9:12] == b"429"
        assert not small.at_eof() and not small._buffer  # type: ignore[attr-defined]
        assert (
            await app.ask(head("x-forwarded-for: 203.0.113.77, 127.0.0.1") + b"\r\ncontent-length: 0\r\n\r\n") == b"200"
        )
        assert app.seen[-1]["client"] == ("203.0.113.77", 0)
        assert await app.ask(head("x-forwarded-for: 203.0.113.77") + b"\r\ncontent-length: 0\r\n\r\n", OTHER) == b"200"
        assert app.seen[-1]["client"][0] == OTHER


async def test_what_is_refused_can_be_read() -> None:
    """A caller who sends all of it before it reads gets the refusal, and no reset."""
    async with listening() as app:
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", app.port)) as plain:
            plain.setblocking(False)
            await loop.sock_sendall(plain, head(*(f"x-{n}: {'v' * 1000}" for n in range(1000))) + b"\r\n\r\n")
            reported = b""
            while part := await asyncio.wait_for(loop.sock_recv(plain, 1000), 10):
                reported += part
        assert reported.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert orjson.loads(reported.partition(b"\r\n\r\n")[2])["status"] == 431


async def test_the_last_answer_says_that_it_is_the_last(taking: bool) -> None:
    """So that a caller that keeps its connections, as a provider's pool does, sends no further webhook into one that ends."""
    if not taking:
        pytest.skip("uvicorn writes the application's answers")
    async with listening() as app:
        reader, writer = await app.open(GET.replace(b"/", b"/wait", 1) + b"no request\r\n\r\n")
        await until(lambda: app.taken == 1, 10)
        app.wait.set()
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 200") and body == b"0"
        assert b"connection: close" in head.split(b"\r\n")
