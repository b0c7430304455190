"""A real SMTP server that keeps what it is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller

from app.embedded.ports import free


class Came(NamedTuple):
    """A mail as the server has it, and whether who brought it was known, and came over TLS."""

    envelope: Any
    known: bool
    secure: bool


class Inbox:
    """Takes mail, but none to nobody."""

    def __init__(self) -> None:
        self.came: list[Came] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """As aiosmtpd asks of each recipient."""
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """As aiosmtpd asks of each mail."""
        secure = server.transport.get_extra_info("ssl_object") is not None
        self.came.append(Came(envelope, session.authenticated, secure))
        return "250 2.0.0 Ok: queued as 4ABC1234"


@contextmanager
def inbox(**options: Any) -> Iterator[tuple[Inbox, int]]:
    """The server on a free port, with aiosmtpd's options."""
    handler, port = Inbox(), free()
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()
