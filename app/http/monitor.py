"""Health and metrics of the HTTP process on a port of their own, which only the operator's machines need to reach."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from app.settings import Settings


@asynccontextmanager
async def serving(routes: Sequence[Route], settings: Settings) -> AsyncIterator[None]:
    """Serve these routes on `api.metrics_port` meanwhile; does nothing where no port is set.

    Raises OSError where the port cannot be had.
    """
    port = settings.api.metrics_port
    if port is None:
        yield
        return
    config = uvicorn.Config(
        Starlette(routes=routes), host=settings.door.host, port=port, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # the process's own server has them
    host = settings.door.host
    # Bound here: where it cannot be, uvicorn would end the process without a word of ours.
    bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
