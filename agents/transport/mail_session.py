"""One mail to an SMTP server, by smtplib: blocking, for a thread, and to be ended from outside.

Nothing of a mail is taken before the final dot is sent (RFC 5321 section 4.1.1.4), so only from then on may it have arrived.
TLS is what the settings say: where STARTTLS is wanted and not offered, nothing is sent, no password either.
"""

import contextlib
import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from functools import cache, partial
from typing import IO

from adapters.contract import Mail, Response
from agents.transport.fence import Fence
from agents.transport.unanswered import NoAnswer, failure_words

#: Seconds for the server's goodbye; bytes of one reply.
GOODBYE, MAX_REPLY = 2.0, 65_536
_LINE_END, _DOT = re.compile(rb"\r\n|\r|\n"), re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Account:
    """A server, how to speak with it, and as whom."""

    host: str
    port: int
    tls: str
    username: str | None
    password: str | None


class Session:
    """One mail over one connection, in a thread."""

    def __init__(
        self,
        account: Account,
        mail: Mail,
        opened: socket.socket,
        connect: float,
        timeout: float,
        tls: ssl.SSLContext,
        fence: Fence,
    ) -> None:
        self._fence = fence
        self._account, self._mail, self._socket, self._tls = account, mail, opened, tls
        self._connect, self._timeout = connect, timeout
        #: The same connection, whoever wraps the socket: to end it from outside.
        self._other = opened.dup()
        self._ended = False

    def cut(self) -> None:
        """End the connection, so that whatever waits for it fails at once."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._other.shutdown(socket.SHUT_RDWR)

    def run(self) -> Response:
        """Raises NoAnswer."""
        sent = [False]
        try:
            client = Client(self._socket, self._account, self._connect, self._tls)
            try:
                return self._answer(*self._speak(client, sent), sent)
            finally:
                with contextlib.suppress(smtplib.SMTPException, OSError, ValueError):
                    if client.sock is not None:
                        client.sock.settimeout(GOODBYE)
                        client.quit()
                client.close()
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            return self._answer(error.smtp_code, said.encode() if isinstance(said, str) else said, sent)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            late = self._ended or isinstance(error, TimeoutError)
            unsupported = isinstance(error, smtplib.SMTPNotSupportedError)
            why = str(error) if unsupported else failure_words(error, started=sent[0])
            words = f"{self._account.host}: {why}"[:300]
            raise NoAnswer(words, sent[0], kind="timeout" if late else "lost" if sent[0] else "connect") from error
        finally:
            self._socket.close()
            self._other.close()

    def _answer(self, code: int, words: bytes, sent: list[bool]) -> Response:
        """Raises NoAnswer for what is no reply of SMTP."""
        if 200 <= code < 600:
            return Response(code, {}, words)
        raise NoAnswer(f"{self._account.host}: its reply is none of SMTP", sent[0], kind="lost")

    def _speak(self, client: "Client", sent: list[bool]) -> tuple[int, bytes]:
        account, mail = self._account, self._mail
        client.ehlo_or_helo_if_needed()
        if account.tls == "starttls":
            code, words = client.starttls(context=self._tls)
            if code != 220:
                return code, words
            client.ehlo_or_helo_if_needed()
        client.wait(self._timeout)
        if account.username is not None:
            client.login(account.username, account.password or "")
        size = [f"SIZE={len(mail.data)}"] if client.has_extn("size") else []
        steps = [partial(client.mail, mail.sender, size), *(partial(client.rcpt, each) for each in mail.recipients)]
        for step in steps:
            code, words = step()
            if not 200 <= code < 300:
                return code, words
        code, words = client.docmd("DATA")
        if code != 354:
            return code, words
        lines = _DOT.sub(b"..", _LINE_END.sub(b"\r\n", mail.data))
        client.send(lines if lines.endswith(b"\r\n") else lines + b"\r\n")
        self._fence.check(account.host, begun=False)
        sent[0] = True
        client.send(b".\r\n")
        return client.getreply()


class Client(smtplib.SMTP):
    """smtplib's, over a socket that is there, and with an end to the replies that it reads."""

    def __init__(self, opened: socket.socket, account: Account, timeout: float, tls: ssl.SSLContext) -> None:
        self._opened, self._implicit = opened, tls if account.tls == "implicit" else None
        super().__init__(account.host, account.port, local_hostname=_own_name(), timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._opened.settimeout(timeout)
        if self._implicit is not None:
            return self._implicit.wrap_socket(self._opened, server_hostname=host)
        return self._opened

    def wait(self, seconds: float) -> None:
        """How long each reply may take from now on."""
        assert self.sock is not None
        self.sock.settimeout(seconds)

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's. A reply that does not end is none: SMTPServerDisconnected."""
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.left = MAX_REPLY
        return super().getreply()


class _Bounded:
    """The lines of a reply, up to so many bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, MAX_REPLY
        self.close = file.close

    def readline(self, size: int) -> bytes:
        """Raises OSError where it is too long."""
        line = self._file.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise OSError("the reply does not end")
        return line


@cache
def _own_name() -> str:
    """What we call ourselves; found out once, for it may ask the resolver."""
    return socket.getfqdn()
