"""Serves health and metrics of the HTTP process on a separate port for the operator."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from app.http.secured import PAGES, Secured
from app.settings import Settings


@asynccontextmanager
async def serving(routes: Sequence[Route], settings: Settings) -> AsyncIterator[None]:
    """Serve these routes on `api.metrics_port` during the block, if that is set.

    Raises OSError if the port is not available.
    """
    port = settings.api.metrics_port
    if port is None:
        yield
        return
    config = uvicorn.Config(
        Secured(Starlette(routes=routes), PAGES),
        host=settings.door.host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # the main server handles signals
    host = settings.door.host
    # Bound here, since uvicorn would end the process if the port were not available.
    bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
