"""Offers each request that came whole, in one piece with its head, to who can answer it without a task (`webhooks.at_once`)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from app.http.listening.connection import Connection
from app.http.listening.connections import Connections

#: Takes a request (its ASGI scope, its body, and what writes its answer: start and body as ASGI has them), and returns whether it did.
Take = Callable[[Any, bytes, Callable[[dict[str, Any], dict[str, Any]], None]], bool]


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
        if not (prompt and self._taken(cycle)):
            super()._start_asgi_task(cycle, app)

    def _taken(self, cycle: RequestResponseCycle) -> bool:
        if self._take is None or cycle.more_body or not cycle.keep_alive or self.flow.write_paused:
            return False
        self.flow.resume_reading()  # paused if another request follows; else an end of the connection would not be noticed
        try:
            return self._take(cycle.scope, bytes(cycle.body), partial(self._answer, cycle))
        except Exception:  # a bug; the application comes upon it again and answers 500
            return False

    def _answer(self, cycle: RequestResponseCycle, start: dict[str, Any], body: dict[str, Any]) -> None:
        """Write a whole answer, as the cycle does it in two parts."""
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        if not self.transport.is_closing():
            fields = b"".join([b"%b: %b\r\n" % field for field in start["headers"]])
            self.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[start["status"]], fields, self.always, body["body"]))
            if not cycle.keep_alive:
                self.transport.close()
        self.on_response_complete()
