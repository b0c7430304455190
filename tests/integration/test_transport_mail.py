"""Mails handed over to a real SMTP server, and to one that follows a script: each outcome is compared with what the
server has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from adapters.contract import Mail, Response, Values
from agents.transport import AddressRefused, NoAnswer, Transport
from tests.integration.mail_server import inbox
from tests.integration.scripted import tcp_server
from tests.support.certificate import certificate
from tests.support.waiting import until

# aiosmtpd's own, of a server that is TLS from the start.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")

DATA = b"Subject: Hi\r\n\r\nHello\r\n.\r\n..and on\nto the end"
LETTER = Mail("shop@example.com", ("ana@example.com",), DATA)


@asynccontextmanager
async def transport(seconds: float = 10.0, connect: float = 5.0) -> AsyncIterator[Transport]:
    """One that is closed after."""
    made = Transport(timeout=seconds, connect_timeout=connect)
    try:
        yield made
    finally:
        await made.close()


def values(port: int, **more: str) -> Values:
    return {name: (value,) for name, value in ({"host": "localhost", "port": str(port), "tls": "none"} | more).items()}


async def handed(own: Transport, given: Values, mail: Mail = LETTER) -> Response:
    return await own.carry(mail, given, trusted=True)


async def failed(own: Transport, given: Values) -> NoAnswer:
    with pytest.raises(NoAnswer) as failure:
        await own.carry(LETTER, given, trusted=True)
    return failure.value


async def test_a_mail_arrives_and_the_reply_comes_back() -> None:
    """With its dots and all its lines; the reply is that to the end of the mail. Several at a time have each their own."""
    with inbox() as (handler, port):
        async with transport() as own:
            answers = await asyncio.gather(*(handed(own, values(port)) for _ in range(10)))
        assert {(answer.status, answer.body) for answer in answers} == {(250, b"2.0.0 Ok: queued as 4ABC1234")}
        assert len(handler.came) == 10
        envelope = handler.came[0].envelope
        assert (envelope.mail_from, envelope.rcpt_tos) == ("shop@example.com", ["ana@example.com"])
        assert envelope.content == b"Subject: Hi\r\n\r\nHello\r\n.\r\n..and on\r\nto the end\r\n"


async def test_a_recipient_that_is_refused_is_an_answer() -> None:
    """That of the command that refused; nothing was taken."""
    with inbox() as (handler, port):
        async with transport() as own:
            answer = await handed(own, values(port), Mail("shop@example.com", ("nobody@example.com",), DATA))
        assert (answer.status, answer.body, handler.came) == (550, b"5.1.1 no such user", [])


def _only_ana(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ana", b"right")
    return AuthResult(success=right, handled=False)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_and_the_account_are_as_the_settings_say(
    tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that is wrong is an answer; a certificate that is not trusted is none, and nothing is sent."""
    file, context = certificate(tmp_path)
    wanted = {"require_starttls": True, "tls_context": context} if tls == "starttls" else {"ssl_context": context}
    with inbox(authenticator=_only_ana, auth_required=True, auth_require_tls=tls == "starttls", **wanted) as (
        handler,
        port,
    ):
        given = values(port, tls=tls, username="ana", password="right")
        async with transport() as own:
            assert not (await failed(own, given)).may_have_arrived
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        async with transport() as own:
            assert (await handed(own, {**given, "password": ("wrong",)})).status == 535
            assert handler.came == []
            assert (await handed(own, given)).status == 250
        assert [(known, secure) for _, known, secure in handler.came] == [(True, True)]


async def test_no_tls_where_it_is_wanted_means_that_nothing_is_sent() -> None:
    """Neither the mail nor the password."""
    with inbox() as (handler, port):
        async with transport() as own:
            failure = await failed(own, values(port, tls="starttls", username="ana", password="right"))
        assert (failure.may_have_arrived, handler.came) == (False, [])


class Scripted:
    """A server that takes all until the command at which it does what the test says. Notes each line."""

    def __init__(self, at: bytes, does: str) -> None:
        self._at, self._does = at, does
        self.lines: list[bytes] = []
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Scripted"]:
        """Listen, until left."""
        async with tcp_server(self._serve) as (self.port, _):
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            word, data = b"greeting", False
            while True:
                if word == self._at:
                    await self._act(writer)
                elif not data or word == b".":
                    data = word == b"DATA"
                    writer.write(
                        b"220 hello\r\n" if word == b"greeting" else b"354 go on\r\n" if data else b"250 ok\r\n"
                    )
                line = await reader.readline()
                if not line:
                    return
                self.lines.append(line)
                word = line.strip() if data else line.split()[0].upper()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def _act(self, writer: asyncio.StreamWriter) -> None:
        if self._does == "hang":
            await asyncio.sleep(60)
        if self._does == "end":
            raise ConnectionResetError
        if self._does == "endless":
            while not writer.is_closing():
                writer.write(b"250-and on\r\n" * 100)
                await writer.drain()
        writer.write(self._does.encode() + b"\r\n")


@pytest.mark.parametrize("does", ["end", "hang", "endless", "not SMTP"])
@pytest.mark.parametrize("at", [b"greeting", b"MAIL", b"RCPT", b"DATA", b"."])
async def test_it_may_have_arrived_from_the_final_dot_on(at: bytes, does: str) -> None:
    """Whatever goes wrong before it, the server has not the whole of it; if something goes wrong after it, nobody
    knows."""
    async with Scripted(at, does).open() as server, transport(0.6) as own:
        failure = await failed(own, values(server.port))
        assert failure.may_have_arrived is (at == b".") is (b".\r\n" in server.lines)


@pytest.mark.parametrize(
    ("at", "does", "status"),
    [
        (b"greeting", "554 no service", 554),
        (b"MAIL", "452 later", 452),
        (b"DATA", "451 later", 451),
        (b".", "554 5.7.1 no", 554),
        (b".", "421 4.3.2 closing", 421),
    ],
)
async def test_the_reply_of_the_command_that_refused_is_the_answer(at: bytes, does: str, status: int) -> None:
    """Its code is the status."""
    async with Scripted(at, does).open() as server, transport() as own:
        assert (await handed(own, values(server.port))).status == status


async def test_a_goodbye_that_does_not_come_changes_nothing() -> None:
    """The mail was taken."""
    async with Scripted(b"QUIT", "hang").open() as server, transport(0.6) as own:
        assert (await handed(own, values(server.port))).status == 250


async def test_a_mail_that_is_given_up_ends_where_it_is() -> None:
    """Cancelled before the dot: the dot is never sent."""
    async with Scripted(b"DATA", "hang").open() as server, transport(30) as own:
        given_up = asyncio.create_task(handed(own, values(server.port)))
        await until(lambda: b"DATA\r\n" in server.lines)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert b".\r\n" not in server.lines


async def test_a_private_mail_server_is_refused_to_who_is_not_trusted() -> None:
    """And settings that cannot be meant to all."""
    with inbox() as (handler, port):
        async with transport() as own:
            with pytest.raises(AddressRefused):
                await own.carry(LETTER, values(port), trusted=False)
            for wrong in ({"tls": "maybe"}, {"port": "70000"}, {"host": ""}):
                assert (await failed(own, {**values(port), **{k: (v,) for k, v in wrong.items()}})).kind == "setting"
        assert handler.came == []
