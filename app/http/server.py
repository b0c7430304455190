"""Runs the HTTP process under uvicorn, with the arguments that the door needs."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import structlog
import uvicorn

from app.http.app import Http, build
from app.http.listening.connections import Bounds, Connections
from app.http.listening.descriptors import claim, divide
from app.http.listening.handshake import Front
from app.http.listening.protocol import protocol_of
from app.http.listening.tls import TlsUnusable, server_context
from app.memory import settle
from app.settings import Settings
from app.settings.loading import SettingsRefused
from app.settings.reloading import Reloading
from app.telemetry import set_level
from webhooks.blobs.arriving import PIECE
from webhooks.callers import Proxies

#: Seconds for requests in progress at shutdown, in addition to the time that keeping a webhook may take.
GRACE = 10
#: The exit status after a second Ctrl-C, by which requests in progress were left.
CUT_SHORT = 128 + signal.SIGINT

log = structlog.get_logger("http")


class Server(uvicorn.Server):
    """uvicorn's server, which ends the application's streams before it waits for connections to close."""

    def __init__(self, http: Http, reloading: Reloading | None = None) -> None:
        """Take the application, and what follows its settings' files, if anything does. Raises TlsUnusable."""
        door = http.settings.door
        budget = divide(claim(), door.max_connections)
        self.connections = Connections(bounds(http.settings, budget.connections))
        http.watch(self.connections)
        self._proxies = Proxies(door.trusted_proxies)
        context = server_context(door.tls)
        self._front = Front(self.connections, context) if context is not None else None
        super().__init__(
            uvicorn.Config(
                http,
                host=door.host,
                port=door.port,
                loop="uvloop",
                http=protocol_of(self.connections, self._proxies, self._front, http.take),
                ws="none",
                # `app.telemetry` configures logging. An access log line would cost more than the work for a webhook.
                log_config=None,
                access_log=False,
                # Else any local caller could choose the scheme of the URL that signatures cover.
                proxy_headers=False,
                # No provider reads them, and each costs two regular expressions per response.
                server_header=False,
                date_header=False,
                backlog=budget.backlog,
                timeout_graceful_shutdown=int(door.keep_timeout) + GRACE,
            )
        )
        self._http = http
        self._budget = budget
        self._reloading = reloading
        self._following: asyncio.Task[None] | None = None

    def use(self, settings: Settings) -> None:
        """Put other settings into force, and the files of `door.tls` as they are now. Connections that are open keep the
        certificate that they began with. Raises what `Http.use` raises, and SettingsRefused for such a file; then nothing
        changes."""
        try:
            context = server_context(settings.door.tls)
        except TlsUnusable as error:
            raise SettingsRefused([str(error)]) from None
        self._http.use(settings)
        if self._front is not None and context is not None:
            self._front.context = context
        self.connections.bounds = bounds(settings, self._budget.connections)
        self._proxies.use(settings.door.trusted_proxies)
        set_level(settings.telemetry)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replace uvicorn's method, which raises the signal again after the shutdown: the process would never end with 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Extend uvicorn's method."""
        self.connections.start()
        await super().startup(sockets)
        if self._reloading is not None:
            self._following = asyncio.create_task(self._reloading.run(self.use), name="settings")
        log.info("listening", descriptors=self._budget.descriptors, connections=self._budget.connections)
        settle()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Extend uvicorn's method."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if self._front is not None:
            self._front.close()
        self._http.close()
        await super().shutdown(sockets)
        await self.connections.stop()


def bounds(settings: Settings, connections: int) -> Bounds:
    """Return the limits for connections that the settings define."""
    door = settings.door
    return Bounds(
        head_bytes=door.max_header_bytes,
        headers=door.max_headers,
        head_timeout=door.header_timeout,
        idle_timeout=door.idle_timeout,
        body_timeout=door.body_timeout,
        body_grace=min(door.body_grace, door.body_timeout),
        body_rate=door.body_rate,
        connections=connections,
        body_in_memory=settings.blobs.over + 2 * PIECE,
    )


def serve(reloading: Reloading) -> int:
    """Serve until SIGTERM or SIGINT. Return 0 then, 130 if a second SIGINT cut the shutdown short, and 1 where it did not start. The
    caller has set up telemetry."""
    http = build(reloading.settings)
    http.follow(reloading)
    try:
        server = Server(http, reloading)
    except TlsUnusable as error:
        log.critical("settings do not fit", what=str(error))
        print(error, file=sys.stderr)
        return 2
    server.run()
    return 1 if not server.started else CUT_SHORT if server.force_exit else 0
