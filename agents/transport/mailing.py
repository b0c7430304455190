"""Sends mails to SMTP servers, each over a connection of its own, in a thread; the dialer checks the address."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

from adapters.contract import Mail, Response, Values, secrets_of
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.mail_session import MailAccount, Session
from agents.transport.tls import mail_context
from agents.transport.unanswered import NoAnswer

#: The default port for each value of the setting `tls`.
PORTS = {"starttls": 587, "implicit": 465, "none": 25}
#: The headers that a mail may have.
HEADERS = frozenset(
    b"from to date message-id subject reply-to in-reply-to references list-unsubscribe list-unsubscribe-post "
    b"mime-version content-type content-transfer-encoding".split()
)
_ADDRESS = re.compile(r"[!-~]+@[!-~]+")
#: Lines of printable ASCII, at most 998 characters each (RFC 5322 section 2.1.1), each a header or the continuation of
#: one.
_HEAD = re.compile(rb"(?:[!-9;-~]+:[\t -~]{0,990}\r\n(?:[ \t][\t -~]{0,997}\r\n)*)+")
_NAMES = re.compile(rb"(?m)^([!-9;-~]+):")
#: Most concurrent mails.
AT_ONCE = 32


def account_of(values: Values) -> MailAccount:
    """Return the account that the settings of `adapters.smtp` describe. Raises NoAnswer if they are not valid."""
    host, port, tls, username, password = (
        next(iter(secrets_of(values, name)), None) for name in ("host", "port", "tls", "username", "password")
    )
    tls = tls or "starttls"
    if not host or tls not in PORTS or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise NoAnswer("the host, port or tls of the source is not valid", kind="setting")
    return MailAccount(host, int(port or PORTS[tls]), tls, username, password)


def may_be_written(mail: Mail) -> bool:
    """Return whether the mail has only headers that adapters write, each at most once, and no line end within a header
    or an address, so that hostile content cannot add a recipient or a second body."""
    if not all(_ADDRESS.fullmatch(each) for each in (mail.sender, *mail.recipients)):
        return False
    head = mail.data.partition(b"\r\n\r\n")[0]
    if not _HEAD.fullmatch(head + b"\r\n"):
        return False
    names = [name.lower() for name in _NAMES.findall(head)]
    return len(set(names)) == len(names) and HEADERS.issuperset(names)


class Mailing:
    """Sends mails by one dialer."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float) -> None:
        self._dialer, self._timeout, self._connect_timeout = dialer, timeout, connect_timeout
        self._tls = mail_context()
        self._threads = ThreadPoolExecutor(AT_ONCE, "mail")
        self._room = asyncio.Semaphore(AT_ONCE)

    async def carry(self, mail: Mail, values: Values) -> Response:
        """Send a mail; return the reply to the end of DATA, or to the command that was refused. Raises NoAnswer."""
        account = account_of(values)
        if not may_be_written(mail):
            raise NoAnswer("the headers or addresses of the mail are not valid", kind="request")
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._room.acquire()
        except TimeoutError as error:
            raise NoAnswer("too many mails are in progress", kind="pool") from error
        try:
            return await self._hand_over(account, mail)
        finally:
            self._room.release()

    async def _hand_over(self, account: MailAccount, mail: Mail) -> Response:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        opened = await self._dialer.open(account.host, account.port)
        by = fence.current()  # the thread has another context
        session = Session(account, mail, opened, self._connect_timeout, self._timeout, self._tls, by)
        running = loop.run_in_executor(self._threads, session.run)
        try:
            await asyncio.wait([running], timeout=until - loop.time())
        finally:
            # Timed out or cancelled: nothing more is written, and the thread ends. If the answer has arrived, this only
            # cuts the QUIT short.
            if not running.done():
                session.cut()
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await running

    def close(self) -> None:
        """Shut the threads down without waiting; mails in progress are finished."""
        self._threads.shutdown(wait=False, cancel_futures=True)
