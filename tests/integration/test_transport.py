"""Calls over HTTP to servers that answer, hang, break off and lie: what the transport says of each is asked of the server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes

from adapters.contract import HttpCall, Response
from agents.transport import AddressRefused, NoAnswer, Transport
from agents.transport.fence import clock, fenced
from agents.transport.unanswered import REDACTED
from app.embedded.ports import free
from tests.integration.scripted import OK, Server, Server2, answering
from tests.support.certificate import certificate

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def transport(
    seconds: float = 5.0, connect: float = 2.0, most: int = 1 << 20, connections: int = 64
) -> AsyncIterator[Transport]:
    """One that is closed after."""
    made = Transport(timeout=seconds, connect_timeout=connect, max_answer=most, connections=connections)
    try:
        yield made
    finally:
        await made.close()


def call(port: int, body: bytes = b"hello", scheme: str = "http") -> HttpCall:
    return HttpCall("POST", f"{scheme}://localhost:{port}/v1/messages?a=b%20c", {"x-key": "k"}, body)


def call2(port: int, body: bytes = b"hello") -> HttpCall:
    """A call by HTTP/2."""
    return HttpCall("POST", f"https://localhost:{port}/v1/messages?a=b%20c", {"x-key": "k"}, body, http2=True)


async def carried(own: Transport, outgoing: HttpCall) -> Response:
    return await own.carry(outgoing, {}, trusted=True)


async def failed(own: Transport, outgoing: HttpCall) -> NoAnswer:
    with pytest.raises(NoAnswer) as failure:
        await own.carry(outgoing, {}, trusted=True)
    assert own.unanswered["HttpCall", failure.value.kind] == 1
    return failure.value


def saying(answer: bytes, *, then: str = "stay") -> Answer:
    """Write it; then stay, end or abort the connection."""

    async def say(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if then == "hang":
            await asyncio.sleep(60)
        if then == "end":
            writer.close()
        if then == "abort":
            await writer.drain()
            writer.transport.abort()

    return say


async def test_a_call_arrives_as_it_was_built_and_its_answer_comes_back() -> None:
    """Over one connection for calls that follow each other; header names in lower case, several values joined."""
    async with Server(answering).open() as server, transport() as own:
        for _ in range(5):
            answer = await carried(own, call(server.port))
        assert (answer.status, answer.body, answer.headers["x-id"]) == (201, b"ok", "a, b")
        head, body = server.received[-1]
        assert (
            head.startswith(b"POST /v1/messages?a=b%20c HTTP/1.1\r\nhost: localhost:", 0) or b"host: localhost:" in head
        )
        assert b"x-key: k\r\n" in head and b"content-length: 5\r\n" in head and body == b"hello"
        assert (server.connections, len(server.received)) == (1, 5)
        assert own.answered == {"HttpCall": 5} and sum(own.seconds.counts) == 5


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    """It is not followed."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with Server(saying(moved)).open() as server, transport() as own:
        answer = await carried(own, call(server.port))
        assert (answer.status, answer.headers["location"], len(server.received)) == (302, "/elsewhere", 1)


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (b"", "hang"),
        (b"", "end"),
        (b"", "abort"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, "hang"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "end"),
        (b"\x16\x03\x01 this is not HTTP\r\n\r\n", "stay"),
        (b"HTTP/1.1 2xx Fine\r\n\r\n", "stay"),
        (b"HTTP/1.1 201 Created\r\nX: " + b"x" * 200_000, "stay"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nok", "end"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\nok", "hang"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "hang"),
    ],
)
async def test_no_complete_answer_after_the_request_may_have_arrived(answer: bytes, then: str) -> None:
    """The server has it in full, and does not say so: by silence, by its end, or by what is no HTTP. It came once."""
    async with Server(saying(answer, then=then)).open() as server, transport(0.5) as own:
        assert (await failed(own, call(server.port))).may_have_arrived
        assert len(server.received) == 1


@pytest.mark.parametrize("then", ["end", "abort", "hang"])
async def test_a_refusal_whose_body_breaks_off_is_a_refusal(then: str) -> None:
    """Its status says that it was not taken; what there is of the body comes with it."""
    refusal = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 900\r\n\r\nlater"
    async with Server(saying(refusal, then=then)).open() as server, transport(0.5) as own:
        answer = await carried(own, call(server.port))
        assert (answer.status, answer.headers["retry-after"]) == (503, "7")
        assert answer.body in (b"later", b"")


async def test_an_answer_before_the_request_was_read_counts() -> None:
    """413 while the body is still on its way; the server reads the rest, as it should, and ends."""

    async def end(number: int, writer: asyncio.StreamWriter) -> None:
        writer.close()

    refusal = saying(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    async with Server(end, greet=refusal).open() as server, transport() as own:
        assert (await carried(own, call(server.port, b"x" * 2_000_000))).status == 413


async def test_an_endless_answer_is_cut() -> None:
    """The status counts, with so many bytes of the body; the connection is not used again."""

    async def endless(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    async with Server(endless).open() as server, transport(most=100_000) as own:
        for number in (1, 2):
            answer = await carried(own, call(server.port))
            assert (answer.status, answer.body, server.connections) == (200, b"x" * 100_000, number)


async def test_a_request_that_was_written_in_part_may_have_arrived() -> None:
    """The server reads its head alone, then ends."""

    async def deaf(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.transport.abort()

    async with Server(answering, greet=deaf).open() as server, transport() as own:
        assert (await failed(own, call(server.port, b"x" * 20_000_000))).may_have_arrived
        assert server.received == []


@pytest.mark.parametrize("how", ["end", "abort"])
async def test_a_connection_that_was_closed_while_idle_is_not_used_again(how: str) -> None:
    """The next call goes by another, and arrives once."""
    async with Server(answering).open() as server, transport() as own:
        for number in (1, 2, 3):
            assert (await carried(own, call(server.port))).status == 201
            assert (server.connections, len(server.received)) == (number, number)
            server.writers[-1].close() if how == "end" else server.writers[-1].transport.abort()
            await asyncio.sleep(0.05)


async def test_a_used_connection_that_ends_with_the_request_read_may_have_arrived() -> None:
    """It looks the same as a server that accepted it, as this one did; so it is not made again."""

    async def second_dies(number: int, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort() if number == 2 else writer.write(OK)

    async with Server(second_dies).open() as server, transport() as own:
        await carried(own, call(server.port))
        assert (await failed(own, call(server.port))).may_have_arrived
        assert (server.connections, len(server.received)) == (1, 2)


async def test_where_nothing_listens_nothing_arrived() -> None:
    """A refused connection."""
    async with transport() as own:
        failure = await failed(own, call(free()))
        assert (failure.may_have_arrived, failure.kind) == (False, "connect")


async def test_where_nobody_takes_the_connection_nothing_arrived() -> None:
    """The queue of the listening socket is full, so that the connection is never made."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        async with transport(connect=0.3) as own:
            port = full.getsockname()[1]
            failure = await failed(own, HttpCall("GET", f"http://127.0.0.1:{port}/"))
            assert not failure.may_have_arrived


async def test_where_no_place_is_free_nothing_arrived() -> None:
    """The call that waits fails with that reason, and the server has the other alone."""
    async with Server(saying(b"", then="hang")).open() as server, transport(1.5, 0.3, connections=1) as own:
        first = asyncio.create_task(carried(own, call(server.port)))
        await server.reached(1)
        failure = await failed(own, call(server.port))
        assert (failure.may_have_arrived, failure.kind, len(server.received)) == (False, "timeout", 1)
        with pytest.raises(NoAnswer):
            await first


async def test_many_calls_share_few_connections() -> None:
    """No more than were allowed, and each call has its own answer."""

    async def echo(number: int, writer: asyncio.StreamWriter) -> None:
        body = server.received[-1][1]
        await asyncio.sleep(0.001)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with Server(echo).open() as server, transport(30, 20, connections=8) as own:
        bodies = [f"message {number}".encode() for number in range(200)]
        answers = await asyncio.gather(*(carried(own, call(server.port, body)) for body in bodies))
        assert [len(answer.body) for answer in answers] == [len(body) for body in bodies]
        assert server.connections <= 8 and len(server.received) == 200


@pytest.mark.parametrize("size", [0, 10, 200_000])
async def test_nothing_is_written_once_the_lease_is_over(size: int) -> None:
    """Whatever the size of the body, on a connection that is there already; what is in time is carried."""
    async with Server(answering).open() as server, transport() as own:
        made = call(server.port, b"x" * size)
        with fenced(clock() + 60, clock() + 60):
            assert (await carried(own, made)).status == 201
        read = server.bytes
        with fenced(clock() - 1, clock() + 60):
            failure = await failed(own, made)
        assert (failure.kind, failure.may_have_arrived, server.bytes) == ("lease", False, read)


async def test_dead_connections_cost_one_call() -> None:
    """The server starts again and loses all of its connections: those that are idle are not tried one after another."""
    go = asyncio.Event()

    async def together(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 8:
            go.set()
        await go.wait()
        await answering(number, writer)

    async with Server(together).open() as server, transport() as own:
        await asyncio.gather(*(carried(own, call(server.port)) for _ in range(8)))
        assert server.connections == 8
        for writer in server.writers:  # at once with the calls: nobody could see it before
            writer.transport.abort()
        results = [await _tried(own, call(server.port)) for _ in range(8)]
        assert results.count(None) <= 1 and results[-7:] == [201] * 7


async def _tried(own: Transport, made: HttpCall) -> int | None:
    try:
        return (await carried(own, made)).status
    except NoAnswer:
        return None


@pytest.mark.parametrize(
    "wrong",
    [
        HttpCall("GET", "ftp://localhost/"),
        HttpCall("GET", "//localhost/"),
        HttpCall("GET", "http://localhost:99999/"),
        HttpCall("GET", "http:///path"),
        HttpCall("GET", "http://localhost/", {"x": "a\r\nb: c"}),
        HttpCall("GET", "http://localhost/", {"x y": "z"}),
        HttpCall("GET", "http://localhost/", {"x": "€"}),
    ],
)
async def test_what_is_no_request_is_not_made(wrong: HttpCall) -> None:
    """A URL or a header that cannot be written, or would be more than one."""
    async with transport() as own:
        failure = await failed(own, wrong)
        assert not failure.may_have_arrived and failure.kind == ("request" if wrong.headers else "url")


async def test_a_private_address_is_refused_to_who_is_not_trusted() -> None:
    """However it is written; the server sees no connection. A network that is allowed may be called."""
    async with Server(answering).open() as server:
        async with transport() as own:
            await carried(own, call(server.port))
            for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"):
                with pytest.raises(AddressRefused) as refused:
                    await own.carry(HttpCall("GET", f"http://{host}:{server.port}/"), {}, trusted=False)
                assert not refused.value.may_have_arrived
            assert (server.connections, len(server.received)) == (1, 1)
        allowing = Transport(allowed=[ip_network("127.0.0.0/8")])
        answer = await allowing.carry(HttpCall("GET", f"http://127.0.0.1:{server.port}/"), {}, trusted=False)
        assert (answer.status, len(server.received)) == (201, 2)
        await allowing.close()


async def test_an_address_of_a_recipients_is_never_trusted_and_tells_nothing() -> None:
    """Under an operator's account too: nothing listens, something listens, no TLS, no such name, link-local, the clouds'
    metadata and our own machine are one failure, and the server sees no connection."""
    async with Server(answering).open() as server, transport(2, 1) as own:
        places = (
            *(
                f"http://127.0.0.1:{server.port}",
                f"https://127.0.0.1:{server.port}",
                f"https://localhost:{server.port}",
            ),
            *(
                f"https://127.0.0.1:{free()}",
                "https://no-such-host.invalid",
                "https://169.254.169.254",
                "https://[::1]:1",
            ),
            *("https://10.0.0.1", "https://[fe80::1]", "https://0x7f000001", "https://127.1"),
        )
        failures = set()
        for place in places:
            with pytest.raises(NoAnswer) as failure:
                await own.carry(HttpCall("POST", f"{place}/push/token", {}, b"x", foreign=True), {}, trusted=True)
            failures.add((type(failure.value), str(failure.value), failure.value.kind, failure.value.may_have_arrived))
            assert failure.value.__cause__ is None and failure.value.__suppress_context__
        assert failures == {(NoAnswer, REDACTED, "recipient", False)}
        assert (server.connections, server.received) == (0, [])


async def test_an_address_of_a_clients_tells_no_more_than_that_it_failed() -> None:
    """What resolves to nothing and what resolves to ours fail with the same words; the operator's counts distinguish
    them."""
    async with Server(answering).open() as server, transport(2, 1) as own:
        failures = set()
        for place in (f"http://localhost:{server.port}", f"https://127.0.0.1:{free()}", "https://no-such-host.invalid"):
            with pytest.raises(NoAnswer) as failure:
                await own.carry(HttpCall("POST", place, {}, b"x"), {}, trusted=False)
            failures.add(str(failure.value))
        assert failures == {REDACTED} and server.connections == 0
        assert own.unanswered == {("HttpCall", "address"): 2, ("HttpCall", "name"): 1}


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's, whose certificate is trusted."""
    file, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


async def test_a_certificate_that_is_not_trusted_means_that_nothing_arrived(tmp_path: Path) -> None:
    """Nor does a server that speaks no TLS, or ends in the middle of it."""
    _, context = certificate(tmp_path)
    async with Server(answering).open(context) as server, transport() as own:
        assert not (await failed(own, call(server.port, scheme="https"))).may_have_arrived
        assert server.received == []
    for greeting in (saying(b"HTTP/1.1 200 OK\r\n\r\n"), saying(b"", then="abort"), saying(b"", then="hang")):
        async with Server(answering, greet=greeting).open() as server, transport(connect=0.3) as own:
            assert not (await failed(own, call(server.port, scheme="https"))).may_have_arrived
            assert server.received == []


async def test_http_1_over_tls_has_a_connection_for_each_call_at_a_time(tls: ssl.SSLContext) -> None:
    """Each call arrives once, and the second ten use the connections of the first."""

    async def slow(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        writer.write(OK)

    async with Server(slow).open(tls) as server, transport(20, 10) as own:
        for _ in range(2):
            await asyncio.gather(*(carried(own, call(server.port, scheme="https")) for _ in range(10)))
        assert server.connections <= 10 and len(server.received) == 20


def ok(server: Server2, connection: H2Connection, stream: int) -> None:
    server.say(connection, stream)


async def test_http_2_is_spoken_where_it_is_offered_over_one_connection(tls: ssl.SSLContext) -> None:
    """Many calls at a time, each with its answer."""
    async with Server2(ok).open(tls) as server, transport(20, 10) as own:
        answers = await asyncio.gather(*(carried(own, call2(server.port, b"%d" % n)) for n in range(50)))
        assert {(answer.status, answer.headers["apns-id"], answer.body) for answer in answers} == {(200, "1", b"ok")}
        assert (server.connections, sorted(server.received)) == (1, sorted(b"%d" % n for n in range(50)))


async def test_http_2_is_not_replaced_by_http_1(tls: ssl.SSLContext) -> None:
    """A server that offers HTTP/1.1 alone gets no request of an adapter that needs HTTP/2; other calls offer HTTP/1.1 alone."""
    async with Server(answering).open(tls) as server, transport() as own:
        failure = await failed(own, call2(server.port))
        assert (failure.kind, failure.may_have_arrived, server.received) == ("connect", False, [])
        assert (await carried(own, call(server.port, scheme="https"))).status == 201


async def test_http_2_that_was_closed_while_idle_is_not_used_again(tls: ssl.SSLContext) -> None:
    """The next call goes by another connection, and arrives once."""
    async with Server2(ok).open(tls) as server, transport() as own:
        for number in (1, 2, 3):
            assert (await carried(own, call2(server.port))).status == 200
            assert (server.connections, len(server.received)) == (number, number)
            server.writers[-1].transport.abort()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["refused stream", "goaway", "goaway of the first"])
async def test_what_an_http_2_server_says_it_did_not_take_is_asked_again(tls: ssl.SSLContext, how: str) -> None:
    """By a reset with REFUSED_STREAM, or a GOAWAY below the stream. It took the call that it answered, and that alone."""
    taken: list[int] = []

    def answer(server: Server2, connection: H2Connection, stream: int) -> None:
        number = len(server.received)
        if number == (1 if how == "goaway of the first" else 2):
            if how == "refused stream":
                connection.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            else:
                connection.close_connection(last_stream_id=stream - 2 if stream > 1 else 0)
            return
        taken.append(number)
        server.say(connection, stream)

    async with Server2(answer).open(tls) as server, transport() as own:
        assert (await carried(own, call2(server.port, b"first"))).status == 200
        assert (await carried(own, call2(server.port, b"second"))).status == 200
        assert (len(taken), len(server.received)) == (2, 3)


@pytest.mark.parametrize("how", ["refused stream", "goaway of none", "goaway below"])
async def test_what_an_http_2_server_refuses_twice_did_not_arrive(tls: ssl.SSLContext, how: str) -> None:
    """A refused request was not processed (RFC 9113 sections 6.8 and 8.7), so it is sent later, as one that found no
    connection; it is not a message in doubt. It is offered twice, not until the time is over."""

    def answer(server: Server2, connection: H2Connection, stream: int) -> None:
        if len(server.received) not in (2, 3):
            server.say(connection, stream)
        elif how == "refused stream":
            connection.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        elif how == "goaway of none" or stream == 1:
            connection.close_connection(last_stream_id=0)
        else:
            connection.close_connection(last_stream_id=stream - 2)

    async with Server2(answer).open(tls) as server, transport() as own:
        assert (await carried(own, call2(server.port))).status == 200
        error = await failed(own, call2(server.port))
        assert (error.may_have_arrived, error.kind) == (False, "refused")
        assert len(server.received) == 3
        assert (await carried(own, call2(server.port))).status == 200


@pytest.mark.parametrize("how", ["reset", "goaway", "end", "silence"])
async def test_what_an_http_2_server_may_have_taken_is_not_asked_again(tls: ssl.SSLContext, how: str) -> None:
    """Reset for another reason, a GOAWAY that names the stream, the end, nothing: it came once. The next call goes by
    another connection, which is well."""

    def answer(server: Server2, connection: H2Connection, stream: int) -> None:
        if len(server.received) != 1:
            server.say(connection, stream)
        elif how == "reset":
            connection.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif how == "goaway":
            connection.close_connection(last_stream_id=stream)
        elif how == "end":
            server.writers[-1].transport.abort()

    async with Server2(answer).open(tls) as server, transport(0.7) as own:
        assert (await failed(own, call2(server.port))).may_have_arrived
        assert len(server.received) == 1
        assert (await carried(own, call2(server.port))).status == 200
        assert (server.connections, len(server.received)) == (2, 2)


async def test_an_endless_answer_of_http_2_is_cut_and_the_next_call_is_well(tls: ssl.SSLContext) -> None:
    """What is left unread takes no part of the next one's window."""

    def answer(server: Server2, connection: H2Connection, stream: int) -> None:
        if len(server.received) > 1:
            return server.say(connection, stream)
        connection.send_headers(stream, [(":status", "200")])
        for _ in range(100):
            connection.send_data(stream, b"x" * 10_000)
        return None

    async with Server2(answer).open(tls) as server, transport(most=50_000) as own:
        assert len((await carried(own, call2(server.port))).body) == 50_000
        assert (await carried(own, call2(server.port))).body == b"ok"
        assert server.connections == 2


async def test_a_call_that_is_given_up_leaves_its_place() -> None:
    """Cancelled in the middle, again and again: the one place is free for who comes next."""
    async with Server(saying(b"", then="hang")).open() as server, transport(connections=1) as own:
        for number in (1, 2, 3):
            given_up = asyncio.create_task(carried(own, call(server.port)))
            await server.reached(number)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
