"""The HTTP process under uvicorn, with the arguments that the door's speed and honesty rest on."""

import socket

import uvicorn

from app.main import Http, build
from app.memory import settle
from app.settings import Settings

#: Seconds that requests under way may take once the process is told to end, beyond what keeping one may take.
GRACE = 10


class Server(uvicorn.Server):
    """uvicorn's, which tells the application to let its streams go before it waits for connections to end."""

    def __init__(self, http: Http) -> None:
        door = http.settings.door
        super().__init__(
            uvicorn.Config(
                http,
                host=door.host,
                port=door.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                # The log is `app.telemetry`'s, and a line for each webhook is more than what is done with it.
                log_config=None,
                access_log=False,
                # Else anyone on this machine could choose the scheme that signatures are checked against.
                proxy_headers=False,
                # No provider reads them, and each costs two regular expressions an answer.
                server_header=False,
                date_header=False,
                backlog=4096,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=int(door.keep_timeout) + GRACE,
            )
        )
        self._http = http

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        settle()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self._http.close()
        await super().shutdown(sockets)


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status. The caller has set up telemetry."""
    server = Server(build(settings))
    server.run()
    return 0 if server.started else 1
