"""Runs the stream process with its health and metrics pages, until a signal: `python -m agents`, or `threadline work`.

The exit status is 0 after a signal, 75 if the shutdown then took too long, and 70 if the process ended itself, because a
part failed beyond repair or a partition made no progress.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
import uvicorn
import uvloop

from agents import GROUP, TOPICS, build
from agents.consumer import BatchTransport, member_of
from agents.failures import keep_on
from agents.health import WorkerHealth
from agents.process.ending import CUT_SHORT, GRACE, Ending, leave
from agents.process.erasures import erase
from agents.process.expiry import Expiry
from agents.process.gaps import Gaps
from agents.process.hour_keys import HourKeeping
from agents.process.pages import pages
from agents.process.parts import keep_audit, maintain, notify, send
from agents.process.reaching import kafka_reached
from agents.process.sources import SourceIds
from agents.process.watch import STALLED, Watch
from agents.replaying import Replayer
from app.blobs import blobs_of
from app.clients.configured import Clients
from app.embedded.addresses import not_available
from app.erasing.starting import ledger_known
from app.http.metrics import key_metrics, pool_metrics
from app.kafka import client_args
from app.kafka.fitting import refuses
from app.kafka.producers import producer
from app.kafka.unread import Log
from app.keys import hour_keys_of, seal_of
from app.keys.starting import keys_ready
from app.memory import settle
from app.settings import Settings, Worker
from app.settings.loading import SettingsRefused
from app.settings.reloading import Reloading
from app.telemetry import configure, set_level, shut_down
from sql import EventStore
from webhooks.cancelled import pass_on

log = structlog.get_logger("agents")


class Stopped(Exception):
    """Endless work has ended."""


async def endless(what: str, work: Callable[[], Awaitable[None]], health: WorkerHealth) -> None:
    """Run endless work. If it ends or fails, the process ends."""
    try:
        await work()
    except Exception as error:
        pass_on(error)
        health.fatal(error)
    else:
        health.fatal(Stopped(f"{what} has ended unexpectedly"))


async def serve(health: WorkerHealth, worker: Worker, reloading: Reloading) -> None:
    """Serve the pages. Raises Stopped if the port is not available."""
    config = uvicorn.Config(
        pages(health, worker.stall_after, reloading),
        host=worker.host,
        port=worker.port,
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]  # this process handles signals itself
    try:
        await server.serve()
    except SystemExit as error:  # raised by uvicorn, whose log has the reason
        raise Stopped(f"cannot listen on {worker.host}:{worker.port}") from error


async def work(reloading: Reloading, health: WorkerHealth) -> None:
    """Run the worker until cancelled, then shut down in order. A fatal error is reported to `health`."""
    settings = reloading.settings
    worker = settings.worker
    if settings.postgres.dsn is None:
        raise ValueError("no PostgreSQL is configured: set THREADLINE_POSTGRES__DSN")
    store = await EventStore.open(
        settings.postgres.dsn.get_secret_value(),
        seal_of(settings),
        pool=settings.postgres.pool,
        hours=hour_keys_of(settings),
        direct=settings.postgres.direct,
    )
    health.more += [partial(pool_metrics, store), partial(key_metrics, store)]
    settings.data.mkdir(parents=True, exist_ok=True)
    clients, gaps, blobs = Clients(store, settings), Gaps(health), blobs_of(settings)
    ids = SourceIds(settings)
    await asyncio.to_thread(blobs.start)
    app = build(settings, store, health, clients, blobs, ids)
    if isinstance(app.transport, BatchTransport):
        app.transport.passed_over = gaps
    keeping_house = partial(maintain, store, health, worker.retain_raw_days, blobs)
    tasks = [
        asyncio.create_task(endless(what, doing, health), name=what)
        for what, doing in (
            ("pages", partial(serve, health, worker, reloading)),
            ("settings", partial(reloading.run, partial(use, clients, ids))),
            ("housekeeping", partial(keep_on, "partitions", keeping_house, health)),
            ("gaps", partial(keep_on, "gaps", partial(gaps.run, store), health)),
            ("replays", partial(keep_on, "replays", Replayer(store, partial(producer, settings), health).run, health)),
            ("retention", partial(keep_on, "retention", Expiry(store, settings.retention.ages, health).run, health)),
            ("hour keys", partial(keep_on, "hour keys", HourKeeping(store, settings, health).run, health)),
            ("erasures", partial(keep_on, "erasures", partial(erase, store, clients, health, settings), health)),
            ("audit", partial(keep_audit, store, health, settings)),
            ("telling", partial(notify, store, clients, health, settings)),
            ("sending", partial(send, store, clients, health, settings)),
        )
        if not (what == "sending" and settings.sending.paused)
    ]
    if settings.sending.paused:
        health.alarms["sending"] = "sending.paused is set: nothing is sent until a worker runs without it"
    try:
        kafka = Log(client_args(settings.kafka), GROUP, TOPICS)
        Watch(health, kafka, partial(member_of, app), gaps, worker.stall_after).start()
        await kafka_reached(settings.kafka, health)
        await app.start()
        settle()
        health.ready = True
        log.info("working", topics=list(TOPICS), fast=worker.fast_batches)
        await app.wait_until_stopped()
        raise app._crash_reason or Stopped("Faust has stopped unexpectedly")
    except Exception as error:
        pass_on(error)
        health.fatal(error)  # before the shutdown, which may hang
    finally:
        health.ready = False
        for task in tasks:
            task.cancel()
        await asyncio.gather(app.stop(), *tasks, return_exceptions=True)
        await store.close()


def use(clients: Clients, ids: SourceIds, settings: Settings) -> None:
    """Apply changed settings: the accounts that messages are sent by, the sources of records, the level of the log."""
    clients.use(settings)
    ids.use(settings)
    set_level(settings.telemetry)


async def run(reloading: Reloading, ending: Ending) -> int:
    """Run the worker until a signal or a fatal error. Returns the exit status within `GRACE` seconds of either."""
    health = WorkerHealth()
    health.more.append(reloading.collect)
    working = asyncio.create_task(endless("the worker", partial(work, reloading, health), health))
    waits = [asyncio.create_task(ending.wait()), asyncio.create_task(health.ending.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    ending.begin()
    working.cancel()
    _, late = await asyncio.wait([working], timeout=GRACE)
    if late:
        log.error("the shutdown did not finish in time", failing=health.failures)
    return STALLED if health.fault is not None else CUT_SHORT if late else 0


def main() -> int:
    """Run the process. Returns only if it does not begin to work: 2 where the settings or their keys cannot be used and 70 where
    its port is taken, with the reasons on standard error, and 0 after a signal."""
    try:
        reloading = Reloading.started(login="worker")
    except SettingsRefused as error:
        print(f"threadline work: {error}", file=sys.stderr)
        return 2
    ending = Ending()
    configure(reloading.settings.telemetry, service="worker")
    for name in ("faust", "mode"):  # they log every step
        logging.getLogger(name).setLevel(logging.WARNING)
    if refuses(reloading.settings):
        return 2
    if why := not_available(reloading.settings.worker, "WORKER"):
        print(f"threadline work: {why}", file=sys.stderr)
        return STALLED
    if not keys_ready(reloading.settings, ending.within):
        return 0 if ending.asked else 2
    if not ledger_known(reloading.settings, ending.within):
        return 0 if ending.asked else 2

    async def whole() -> None:
        status = STALLED
        try:
            status = await run(reloading, ending)
        finally:
            # Before the loop closes: closing waits for tasks that Faust restarts when they are cancelled.
            shut_down()
            leave(status)

    uvloop.run(whole())
    return 0


if __name__ == "__main__":
    if sys.argv[1:]:  # there are no options: with any argument the help is printed, and no worker starts
        asked = sys.argv[1:] in (["-h"], ["--help"])
        print(__doc__, end="", file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    sys.exit(main())
