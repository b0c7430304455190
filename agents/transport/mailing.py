"""Mails to SMTP servers, each by a connection of its own, in a thread, over a socket connected by the address rule."""

import asyncio
import re
import ssl
from concurrent.futures import ThreadPoolExecutor

from adapters.contract import Mail, Response, Values, secrets_of
from agents.transport import fence
from agents.transport.addresses import Dialer
from agents.transport.mail_session import Account, Session
from agents.transport.unanswered import NoAnswer

#: Each word of the setting `tls` and its port.
PORTS = {"starttls": 587, "implicit": 465, "none": 25}
#: What a mail may say before its body.
HEADERS = frozenset(
    b"from to date message-id subject reply-to in-reply-to references list-unsubscribe list-unsubscribe-post "
    b"mime-version content-type content-transfer-encoding".split()
)
_ADDRESS = re.compile(r"[!-~]+@[!-~]+")
#: Lines of printable ASCII, none over RFC 5322's 998 characters, each a header or the going on of one.
_HEAD = re.compile(rb"(?:[!-9;-~]+:[\t -~]{0,990}\r\n(?:[ \t][\t -~]{0,997}\r\n)*)+")
_NAMES = re.compile(rb"(?m)^([!-9;-~]+):")
#: Mails under way at a time.
AT_ONCE = 32


def account_of(values: Values) -> Account:
    """The account that the settings of `adapters.smtp` describe. Raises NoAnswer where they cannot be meant."""
    host, port, tls, username, password = (
        next(iter(secrets_of(values, name)), None) for name in ("host", "port", "tls", "username", "password")
    )
    tls = tls or "starttls"
    if not host or tls not in PORTS or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise NoAnswer("the source's host, port or tls is none that can be meant", kind="setting")
    return Account(host, int(port or PORTS[tls]), tls, username, password)


def may_be_written(mail: Mail) -> bool:
    """Whether the mail has only headers that adapters write, each at most once, and in them and in its addresses nothing
    that could end a line: whatever an adapter was made to build, it names no further recipient and holds no second body."""
    if not all(_ADDRESS.fullmatch(each) for each in (mail.sender, *mail.recipients)):
        return False
    head = mail.data.partition(b"\r\n\r\n")[0]
    if not _HEAD.fullmatch(head + b"\r\n"):
        return False
    names = [name.lower() for name in _NAMES.findall(head)]
    return len(set(names)) == len(names) and HEADERS.issuperset(names)


class Mailing:
    """Hands mails over, by one dialer."""

    def __init__(self, dialer: Dialer, *, timeout: float, connect_timeout: float) -> None:
        self._dialer, self._timeout, self._connect_timeout = dialer, timeout, connect_timeout
        self._tls = ssl.create_default_context()
        self._threads = ThreadPoolExecutor(AT_ONCE, "mail")
        self._room = asyncio.Semaphore(AT_ONCE)

    async def carry(self, mail: Mail, values: Values) -> Response:
        """The reply to the end of DATA, or to the command that was refused. Raises NoAnswer."""
        account = account_of(values)
        if not may_be_written(mail):
            raise NoAnswer("the mail's headers or addresses are none that may be written", kind="request")
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._room.acquire()
        except TimeoutError as error:
            raise NoAnswer("too many mails are under way", kind="pool") from error
        try:
            return await self._hand_over(account, mail)
        finally:
            self._room.release()

    async def _hand_over(self, account: Account, mail: Mail) -> Response:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        opened = await self._dialer.open(account.host, account.port)
        by = fence.current()  # the thread has another context
        session = Session(account, mail, opened, self._connect_timeout, self._timeout, self._tls, by)
        running = loop.run_in_executor(self._threads, session.run)
        try:
            await asyncio.wait([running], timeout=until - loop.time())
        finally:
            # Too late, or not wanted any more: what is not written by now never will be, and the thread ends. One that
            # has its answer is only cut short in its goodbye.
            if not running.done():
                session.cut()
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await running

    def close(self) -> None:
        """Let go of the threads; mails under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
