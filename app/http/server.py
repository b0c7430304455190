"""The HTTP process under uvicorn, with the arguments that the door's speed and honesty rest on."""

import socket

import structlog
import uvicorn

from app.http.app import Http, build
from app.http.listening.connections import Bounds, Connections
from app.http.listening.descriptors import claim, divide
from app.http.listening.protocol import protocol_of
from app.memory import settle
from app.settings import Door, Settings
from webhooks.callers import Proxies

#: Seconds that requests under way may take once the process is told to end, beyond what keeping one may take.
GRACE = 10

log = structlog.get_logger("http")


class Server(uvicorn.Server):
    """uvicorn's, which tells the application to let its streams go before it waits for connections to end."""

    def __init__(self, http: Http) -> None:
        door = http.settings.door
        budget = divide(claim(), door.max_connections)
        self.connections = Connections(bounds(door, budget.connections))
        http.watch(self.connections)
        super().__init__(
            uvicorn.Config(
                http,
                host=door.host,
                port=door.port,
                loop="uvloop",
                http=protocol_of(self.connections, Proxies(door.trusted_proxies)),
                ws="none",
                # The log is `app.telemetry`'s, and a line for each webhook is more than what is done with it.
                log_config=None,
                access_log=False,
                # Else anyone on this machine could choose the scheme that signatures are checked against.
                proxy_headers=False,
                # No provider reads them, and each costs two regular expressions an answer.
                server_header=False,
                date_header=False,
                backlog=budget.backlog,
                timeout_graceful_shutdown=int(door.keep_timeout) + GRACE,
            )
        )
        self._http = http
        self._budget = budget

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self.connections.start()
        await super().startup(sockets)
        log.info("listening", descriptors=self._budget.descriptors, connections=self._budget.connections)
        settle()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self._http.close()
        await super().shutdown(sockets)
        await self.connections.stop()


def bounds(door: Door, connections: int) -> Bounds:
    """What the settings say of each connection, and of all."""
    return Bounds(
        head_bytes=door.max_header_bytes,
        headers=door.max_headers,
        head_timeout=door.header_timeout,
        idle_timeout=door.idle_timeout,
        body_timeout=door.body_timeout,
        body_grace=min(door.body_grace, door.body_timeout),
        body_rate=door.body_rate,
        connections=connections,
    )


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status. The caller has set up telemetry."""
    server = Server(build(settings))
    server.run()
    return 0 if server.started else 1
