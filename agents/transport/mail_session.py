"""Sends one mail to an SMTP server by smtplib: blocking, in a thread, and can be cut off from outside.

A server accepts no mail before the final dot is sent (RFC 5321 section 4.1.1.4), so only from then on may it have
arrived. If the settings require STARTTLS and the server does not offer it, nothing is sent, not even the password.
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

#: Seconds to wait for the answer to QUIT; most bytes of one reply.
GOODBYE, MAX_REPLY = 2.0, 65_536
_LINE_END, _DOT = re.compile(rb"\r\n|\r|\n"), re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class MailAccount:
    """A server, its kind of TLS (a key of `mailing.PORTS`), and the user."""

    host: str
    port: int
    tls: str
    username: str | None
    password: str | None


class Session:
    """One mail over one connection, in a thread."""

    def __init__(
        self,
        account: MailAccount,
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
        #: A duplicate of the socket, to shut the connection down from outside, also when TLS has wrapped the first one.
        self._other = opened.dup()
        self._ended = False

    def cut(self) -> None:
        """Shut the connection down, so that a blocked read or write fails at once."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._other.shutdown(socket.SHUT_RDWR)

    def run(self) -> Response:
        """Send the mail; return the server's last reply. Raises NoAnswer."""
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
            words = error.smtp_error
            return self._answer(error.smtp_code, words.encode() if isinstance(words, str) else words, sent)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            late = self._ended or isinstance(error, TimeoutError)
            unsupported = isinstance(error, smtplib.SMTPNotSupportedError)
            why = str(error) if unsupported else failure_words(error, started=sent[0])
            message = f"{self._account.host}: {why}"[:300]
            raise NoAnswer(message, sent[0], kind="timeout" if late else "lost" if sent[0] else "connect") from error
        finally:
            self._socket.close()
            self._other.close()

    def _answer(self, code: int, words: bytes, sent: list[bool]) -> Response:
        """Return a reply as a response. Raises NoAnswer if the code is not one of SMTP."""
        if 200 <= code < 600:
            return Response(code, {}, words)
        raise NoAnswer(f"{self._account.host}: its reply is not valid SMTP", sent[0], kind="lost")

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
    """smtplib's client, over a socket that is already connected, and with a limit on the size of replies."""

    def __init__(self, opened: socket.socket, account: MailAccount, timeout: float, tls: ssl.SSLContext) -> None:
        self._opened, self._implicit = opened, tls if account.tls == "implicit" else None
        super().__init__(account.host, account.port, local_hostname=_own_name(), timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._opened.settimeout(timeout)
        if self._implicit is not None:
            return self._implicit.wrap_socket(self._opened, server_hostname=host)
        return self._opened

    def wait(self, seconds: float) -> None:
        """Set how many seconds each reply may take from now on."""
        assert self.sock is not None
        self.sock.settimeout(seconds)

    def getreply(self) -> tuple[int, bytes]:
        """Return a reply, as smtplib does. Raises SMTPServerDisconnected if it is too long."""
        if self.file is None and self.sock is not None:
            self.file = _Bounded(self.sock.makefile("rb"))
        if self.file is not None:
            self.file.left = MAX_REPLY
        return super().getreply()


class _Bounded:
    """Reads the lines of a reply, at most MAX_REPLY bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, MAX_REPLY
        self.close = file.close

    def readline(self, size: int) -> bytes:
        """Return a line. Raises OSError if the reply is too long."""
        line = self._file.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise OSError("the reply does not end")
        return line


@cache
def _own_name() -> str:
    """Return the host name to greet servers with. Cached, since it may ask the resolver."""
    return socket.getfqdn()
