"""The HTTP process as an ASGI application: the door, the API, health and metrics.

Serve it as `app.http.server` does: uvloop, httptools, no access log, no proxy headers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import api, telemetry
from app.blobs import stores_of
from app.clients.account_sources import AccountSources
from app.declared import register
from app.embedded.running import resolve
from app.erasing.starting import AGAIN, Compared
from app.http import door, keyed, monitor, problems, secured, tracing
from app.http.health import HttpHealth
from app.http.listening.connections import Connections
from app.http.metrics import HttpMetrics
from app.http.permits import checked
from app.kafka.holding import hold_back
from app.keys import hour_keys_of, seal_of
from app.keys.ahead import first_keys, keep_ahead
from app.login import routes as login
from app.settings import Settings
from app.settings.loading import load
from app.settings.reloading import Reloading
from sql import EventStore
from webhooks.aggregate import at_door
from webhooks.at_once import AtOnce
from webhooks.counters import Counters
from webhooks.doubts import caller_of
from webhooks.spans import trace_of
from webhooks.turns import Turns

#: Pages that are begun, or pieces of answers that are written, in one round of the event loop.
PAGES = 2
#: Seconds for which the start waits for the ledger of erasures.
PATIENCE = 2.0
#: The detail of the API's answers until the database was compared with the ledger of erasures. The log has the reason.
NOT_COMPARED = "The service does not read the database yet: it may be a restored one that lacks erasures."

log = structlog.get_logger("http")


class Http:
    """The application. Call `close` when the process is to end, before waiting for its connections."""

    def __init__(self, settings: Settings) -> None:
        if settings.postgres.dsn is None:
            raise ValueError(
                "no PostgreSQL is configured: set THREADLINE_POSTGRES__DSN, or start one with: threadline up"
            )
        self.settings = settings
        self._dsn = settings.postgres.dsn.get_secret_value()
        self.accounts = AccountSources(settings)
        folder, self._blobs = stores_of(settings)
        self.hours = hour_keys_of(settings)
        self.door = door.make(settings, folder, self._blobs, self._client_of, self.accounts, self.hours)
        self._secured_door = secured.Secured(self.door, secured.DOOR)
        #: Takes the usual webhook, before this application is asked.
        self.take = AtOnce(self.door)
        self.api: api.Api | None = None
        #: Until then nothing of a customer is read, while webhooks are kept.
        self.compared = Compared(settings)
        self.counters = Counters()
        routes = api.routes()
        self._traced = tracing.Requests(settings.telemetry, routes)
        self._turns = Turns(PAGES)
        self.metrics = HttpMetrics(self.door, self.counters)
        self.health = HttpHealth(self.door, self.metrics, settings)
        self._pages = Starlette(
            routes=checked([*self.health.routes(), *login.routes(), *routes]),
            exception_handlers={**problems.HANDLERS, **api.HANDLERS},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an ASGI request. The door's path bypasses the router: see `webhooks.aggregate`."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
        elif at_door(scope["path"]):
            await self._secured_door(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    def watch(self, connections: Connections) -> None:
        """Include these connections in the metrics."""
        self.metrics.connections = connections

    def follow(self, reloading: Reloading) -> None:
        """Publish what is in force of the settings on the pages of health and metrics."""
        self.health.reloading, self.metrics.more = reloading, reloading.collect

    def use(self, settings: Settings) -> None:
        """Put other settings into force, in one step between two requests. Raises ValueError for a source with an unknown
        adapter, and then changes nothing."""
        door.change(self.door, settings, self.accounts)
        self.accounts.reopen()
        self.settings = self.health.settings = settings
        if self.api is not None:
            self.api.use(settings)

    def close(self) -> None:
        """End the API's event streams."""
        if self.api is not None:
            self.api.close()

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        caller = caller_of(scope)
        send = self._turns.written(send, caller)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._traced.answered(span, message["status"], scope, began)
                self.counters.answered[message["status"]] += 1
                self.counters.latency.observe(perf_counter() - began, trace_of(span))
                more = {**secured.fields(secured.PAGES, scope), **api.answer_fields(scope)}
                message = secured.with_fields(message, more)
            await send(message)

        with self._traced.span(scope) as span:
            await (await self._refusal(scope, caller) or self._pages)(scope, receive, counted)

    async def _client_of(self, authorization: str, address: str) -> str:
        return await keyed.client_of(self.api, authorization, address)

    async def _refusal(self, scope: Scope, caller: str) -> ASGIApp | None:
        """Return the answer to a request that is not taken; None once it is a taken one's turn."""
        if self.compared.why is not None and scope["path"].startswith(tracing.PREFIXES):
            return problems.problem(503, detail=NOT_COMPARED, headers={"retry-after": str(int(AGAIN))})
        if not await self._turns.begin(caller):
            return problems.problem(429, detail="Too many requests wait.", headers={"retry-after": "1"})
        return None

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        # Does not wait for PostgreSQL: the door works without it, and the API answers 503.
        pool = self.settings.postgres.pool
        store = await EventStore.open(self._dsn, seal_of(self.settings), pool=pool, hours=self.hours)
        self.api = self._pages.state.api = api.Api.of(store, self.settings, self._blobs)
        self.health.store = self.metrics.store = store
        self.metrics.audit = self.api.audit
        await self.accounts.start(store)
        await first_keys(store)
        await self.door.start()
        comparing = asyncio.create_task(self.compared.run())
        beside = [
            comparing,
            asyncio.create_task(keyed.note_used(self.api)),
            asyncio.create_task(keep_ahead(store, lambda: self.door.keep.spool.age)),
            asyncio.create_task(hold_back(self.door.keep, self.settings)),
            asyncio.create_task(self.api.audit.run()),
        ]
        await asyncio.wait(
            [comparing], timeout=PATIENCE
        )  # it takes as long as reading the ledger, unless the database is away
        log.info("serving", kafka=self.door.keep.reachable, sources=sorted(self.settings.sources))
        try:
            async with monitor.serving(self.health.open_routes(), self.settings):
                yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self.door.stop()
            await self.api.audit.finish()
            await self.accounts.stop()
            await store.close()
            telemetry.shut_down()


def build(settings: Settings | None = None) -> Http:
    """Return the application for these settings, by default those found, or those of the embedded system that runs here.

    Raises ValueError for an invalid setting (no Kafka, a source without an adapter)."""
    return Http(register(settings) if settings else resolve(load()))
