"""Offers each request that came whole, in one piece with its head, to who can answer it without a task (`webhooks.at_once`)."""

from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from app.http.listening.connection import Connection
from app.http.listening.connections import Connections


class Whole:
    """A request that came whole: its ASGI scope and its body."""

    __slots__ = ("_app", "_connection", "_cycle", "body", "scope")

    def __init__(self, connection: "Prompt", cycle: RequestResponseCycle, app: Any) -> None:
        self.scope: Any = cycle.scope
        self.body = bytes(cycle.body)
        self._connection, self._cycle, self._app = connection, cycle, app

    def answer(self, start: dict[str, Any], body: dict[str, Any]) -> None:
        """Answer it, with ASGI's messages."""
        self._connection.answer(self._cycle, start, body)

    def leave(self) -> None:
        """Have it served by the application."""
        self._connection.ask(self._cycle, self._app)


#: Is given each whole request, and answers or leaves it, now or later.
Take = Callable[[Whole], None]


class Prompt(Connection):
    """A connection whose whole requests are offered to `take`, if there is one, before they are the application's."""

    def __init__(
        self, connections: Connections, take: Take | None, config: Config, server_state: ServerState, **more: Any
    ):
        """Take connections and `take` in addition to uvicorn's arguments."""
        super().__init__(connections, config, server_state, **more)
        self._take = take
        #: Whether the parser is at work, and the request that it found meanwhile, with its application.
        self.feeding = False
        self._found: tuple[RequestResponseCycle, Any] | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.feeding and self._take is not None:
            self._serving = cycle
            self._found = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def begin(self, *, prompt: bool = True) -> None:
        """Begin to serve the request that the parser found in what it was just given, if it found one. `prompt=False`: by the
        application in any case."""
        self.feeding = False
        if self._found is None:
            return
        (cycle, app), self._found = self._found, None
        if not prompt or self._take is None or cycle.more_body or not cycle.keep_alive or self.flow.write_paused:
            self.ask(cycle, app)
            return
        self.flow.resume_reading()  # paused if another request follows; else an end of the connection would not be noticed
        self._take(Whole(self, cycle, app))

    def ask(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Have a request served by the application."""
        super()._start_asgi_task(cycle, app)

    def answer(self, cycle: RequestResponseCycle, start: dict[str, Any], body: dict[str, Any]) -> None:
        """Write a whole answer, as the cycle does it in two parts."""
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        if not self.transport.is_closing():
            fields = b"".join([b"%b: %b\r\n" % field for field in start["headers"]])
            if not cycle.keep_alive:  # the process stops, or what came after the request is refused
                fields += b"connection: close\r\n"
            self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[start["status"]], fields, self.always, body["body"]))
            if not cycle.keep_alive:
                self.transport.close()
        self.on_response_complete()
