"""`python -m agents` (or `threadline work`): the stream process, with its health and metrics page, until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog
import uvicorn
import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agents import GROUP, TOPICS, build
from agents.health import Health, watch
from agents.parts import send, tell
from app.embedded.running import resolve
from app.fitting import refuses
from app.kafka import client_args
from app.memory import settle
from app.sending.clients import Clients
from app.settings import Settings
from app.telemetry import configure, shut_down
from sql import EventStore

log = structlog.get_logger("agents")

#: Seconds between looks at the day partitions of raw webhooks.
MAINTAIN_EVERY = 3600.0


def pages(health: Health, stall_after: float) -> Starlette:
    """`/healthz` (alive), `/readyz` (at work, nothing failing) and `/metrics`."""
    registry = CollectorRegistry()
    registry.register(health)

    async def healthz(_: Request) -> Response:
        stalled = health.stalled_for()
        ok = stalled <= stall_after
        return JSONResponse({"status": "ok" if ok else "stalled", "stalledFor": round(stalled, 1)}, 200 if ok else 503)

    async def readyz(_: Request) -> Response:
        ok = health.ready and not health.failures
        status = "ok" if ok else "not ready"
        body = {"failing": health.failures, "lag": health.lag, "unknown": health.drift.by_source()}
        return JSONResponse({"status": status, **body}, 200 if ok else 503)

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])


async def maintain(store: EventStore, health: Health, retain_days: int) -> None:
    """Keep the day partitions of raw webhooks ahead of time, and drop the expired."""
    while True:
        try:
            await store.ensure_partitions(days_ahead=3)
            await store.drop_partitions(older_than_days=retain_days)
        except Exception as error:
            health.failing("partitions", error)
            await asyncio.sleep(10)
        else:
            health.succeeded("partitions")
            await asyncio.sleep(MAINTAIN_EVERY)


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these meanwhile."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    worker, health = settings.worker, Health()
    dsn = settings.postgres.dsn
    if dsn is None:
        raise ValueError("no PostgreSQL is configured: set THREADLINE_POSTGRES__DSN")
    store = await EventStore.open(dsn.get_secret_value(), pool=settings.postgres.pool)
    clients = Clients(store, settings)
    app = build(settings, store, health, clients)
    server = uvicorn.Server(
        uvicorn.Config(
            pages(health, worker.stall_after), host=worker.host, port=worker.port, log_config=None, access_log=False
        )
    )
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # they are ours
    serving = asyncio.create_task(server.serve())
    watching = watch(health, client_args(settings.kafka), GROUP, TOPICS, worker.stall_after)
    try:
        housekeeping = maintain(store, health, worker.retain_raw_days)
        telling, sending = tell(store, clients, health, settings), send(store, clients, health, settings)
        async with beside(watching, housekeeping, telling, sending):
            await app.start()
            settle()
            health.ready = True
            log.info("working", topics=list(TOPICS), fast=worker.fast_batches)
            stopped, crashed = asyncio.create_task(stop.wait()), asyncio.create_task(app.wait_until_stopped())
            await asyncio.wait([stopped, crashed], return_when=asyncio.FIRST_COMPLETED)
            health.ready = False
            await app.stop()
            return 0 if stop.is_set() else 1
    finally:
        server.should_exit = True
        await serving
        await store.close()


def main() -> int:
    """The entry point."""
    settings = resolve(Settings())
    configure(settings.telemetry, service="worker")
    for name in ("faust", "mode"):  # they tell each step of each of their parts
        logging.getLogger(name).setLevel(logging.WARNING)
    if refuses(settings):
        return 2
    try:
        return uvloop.run(run(settings))
    finally:
        shut_down()


if __name__ == "__main__":
    sys.exit(main())
