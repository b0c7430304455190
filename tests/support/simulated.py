"""A simulated provider in this process: its API on a port, and its webhooks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from app.embedded import ports
from app.simulator import SIMULATED
from app.simulator.server import Plan, Server
from tests.fixtures import accounts
from tests.support.waiting import until


@asynccontextmanager
async def simulated(name: str, plan: Plan) -> AsyncIterator[str]:
    """A provider with its fixtures' account, which posts by the plan; gives the URL of its API."""
    account, port = accounts(name), ports.free()
    server = Server(SIMULATED[name], account.settings | {"private_key": account.private_key}, plan)
    app = Starlette(routes=[Route("/{path:path}", server.api, methods=["POST", "GET", "DELETE"])])
    serving = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    serving.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    tasks = [asyncio.create_task(serving.serve()), asyncio.create_task(server.posting.run())]
    await until(lambda: serving.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        serving.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
